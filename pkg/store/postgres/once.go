// File once.go has idempotency keys: a submission under a key is accepted once.

package postgres

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// fingerprint is what the store keeps of payload and sender: nothing that could be compared with a
// guess of the credentials without the store's secret.
func (s *Store) fingerprint(k *store.Key) (f [32]byte) {
	mac := hmac.New(sha256.New, s.secret[:])
	_, _ = mac.Write(k.Payload[:]) // a hash takes everything
	_, _ = mac.Write(k.Sender[:])
	mac.Sum(f[:0])
	return f
}

// claim is a key with what it stands for.
type claim struct {
	store.Key
	print  [32]byte // its fingerprint; of a key that was read, Payload and Sender are not known
	id     invocation.ID
	callID string
}

func (s *Store) newClaim(k store.Key, id invocation.ID, callID string) *claim {
	return &claim{k, s.fingerprint(&k), id, callID}
}

// Claim notes that k stands for an invocation that is not in the store, because the caller has
// published it instead. A *KeyError when the key is known.
func (s *Store) Claim(ctx context.Context, k store.Key, id invocation.ID, callID string) error {
	o := &claimOp{claim: s.newClaim(k, id, callID), call: make(call, 1)}
	return s.wait(ctx, o, o.call)
}

type claimOp struct {
	*claim
	call
}

func (o *claimOp) size() int { return len(o.callID) }

func (o *claimOp) begin(t *txn) error {
	t.first.keys = append(t.first.keys, o.Hash[:])
	return nil
}

func (o *claimOp) stage(t *txn) error {
	if err := t.mayClaim(o.claim); err != nil {
		return err
	}
	t.writeClaim(o.claim)
	return nil
}

// mayClaim returns nil, or a *KeyError when the key is known.
func (t *txn) mayClaim(c *claim) error {
	old := t.first.knownKeys[c.Hash]
	if old == nil || !old.Expires.After(t.now) {
		return nil
	}
	return &store.KeyError{ID: old.id, CallID: old.callID, Same: old.isSame(c)}
}

// isSame reports whether c, which was read, stands for the payload and sender of k. In a store that was
// copied an old version may have written the payload in place of the fingerprint.
func (c *claim) isSame(k *claim) bool {
	return hmac.Equal(c.print[:], k.print[:]) || hmac.Equal(c.print[:], k.Payload[:])
}

// writeClaim writes a key in place of one that has expired.
func (t *txn) writeClaim(c *claim) {
	if t.first.knownKeys[c.Hash] == nil {
		t.delta.keys++
	} else {
		t.removeClaim(c.Hash)
	}
	t.first.knownKeys[c.Hash] = c
	t.second.keys = append(t.second.keys, c)
}

// removeClaim removes a key, be it stored or written by this batch.
func (t *txn) removeClaim(hash [32]byte) {
	w := &t.second
	w.removeKeys = append(w.removeKeys, hash[:])
	kept := w.keys[:0]
	for _, c := range w.keys {
		if c.Hash != hash {
			kept = append(kept, c)
		}
	}
	w.keys = kept
}

// Unclaim forgets a key, if it is known with the same payload, sender and expiry: what stood for it
// was not taken after all.
func (s *Store) Unclaim(ctx context.Context, k store.Key) error {
	f := s.fingerprint(&k)
	return s.do(ctx, 0, func(t *txn) error {
		n, err := t.exec("unclaim", k.Hash[:], f[:], stamp(k.Expires))
		t.delta.keys -= n
		return err
	})
}
