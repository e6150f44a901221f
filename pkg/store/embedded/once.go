// File once.go has idempotency keys: a submission under a key is accepted once.

package embedded

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// fingerprint is what the store keeps of payload and sender: nothing that could be compared with a guess
// of the credentials without the store's secret.
func (s *Store) fingerprint(k *store.Key) (f [32]byte) {
	mac := hmac.New(sha256.New, s.secret[:])
	_, _ = mac.Write(k.Payload[:]) // a hash takes everything
	_, _ = mac.Write(k.Sender[:])
	mac.Sum(f[:0])
	return f
}

// secretNote is the name of the note that has the store's secret. It is not among Notes.
const secretNote = "idempotency/secret" // #nosec G101 -- the name of a note

// openSecret makes the secret of a store that has none. It is durable before the first fingerprint is made.
func (s *Store) openSecret() error {
	if s.secret != ([32]byte{}) {
		return nil
	}
	_, _ = rand.Read(s.secret[:]) // never fails
	opts := pebble.Sync
	if !s.durable {
		opts = pebble.NoSync
	}
	return s.db.Set(append(slices.Clone(notePrefix), secretNote...), s.secret[:], opts)
}

// Claim notes that k stands for an invocation that is not in the store, because
// the caller has published it instead. A *KeyError when the key is known.
func (s *Store) Claim(ctx context.Context, k store.Key, id invocation.ID, callID string) error {
	c := s.newClaim(k, id, callID)
	return s.do(ctx, len(callID), func(t *txn) error {
		old, err := t.mayClaim(&c)
		if err == nil {
			t.writeClaim(&c, old)
		}
		return err
	})
}

// Unclaim forgets a key, if it is known with the same payload, sender and expiry: what
// stood for it was not taken after all.
func (s *Store) Unclaim(ctx context.Context, k store.Key) error {
	return s.do(ctx, 0, func(t *txn) error { return t.unclaim(&k) })
}

// claim is a key with what it stands for.
type claim struct {
	store.Key
	print  [32]byte // its fingerprint; of a key that was read, Payload and Sender are not known
	id     invocation.ID
	callID string
}

func (s *Store) newClaim(k store.Key, id invocation.ID, callID string) claim {
	return claim{k, s.fingerprint(&k), id, callID}
}

// isSame reports whether c, which was read, stands for the payload and sender of k. A version before
// fingerprints wrote the payload in their place, and compared nothing else.
func (c *claim) isSame(k *claim) bool {
	return hmac.Equal(c.print[:], k.print[:]) || hmac.Equal(c.print[:], k.Payload[:])
}

const claimLen = 32 + stampLen + idLen // of the value, without the call id

func (c *claim) value() []byte {
	b := append(make([]byte, 0, claimLen+len(c.callID)), c.print[:]...)
	return append(append(stamp(b, c.Expires), c.id[:]...), c.callID...)
}

func parseClaim(hash, v []byte) (c claim, err error) {
	if len(hash) != len(c.Hash) || len(v) < claimLen {
		return c, errBadKey
	}
	c.Hash, c.print = [32]byte(hash), [32]byte(v)
	c.Expires = unstamp(v[32 : 32+stampLen])
	c.id = invocation.ID(v[32+stampLen : claimLen])
	c.callID = string(v[claimLen:])
	return c, nil
}

func appendClaimKey(b []byte, hash *[32]byte) []byte {
	return append(append(b, claimPrefix...), hash[:]...)
}

// mayClaim returns nil, or a *KeyError when the key is known. Old is what it stood
// for before it expired, which writeClaim replaces; nil for nothing.
func (t *txn) mayClaim(c *claim) (old *claim, err error) {
	if _, ok := t.claimed[c.Hash]; ok {
		return nil, errConflict
	}
	old, err = t.s.getClaim(&c.Hash)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case old.Expires.After(t.now):
		return nil, &store.KeyError{ID: old.id, CallID: old.callID, Same: old.isSame(c)}
	}
	return old, nil
}

func (s *Store) getClaim(hash *[32]byte) (*claim, error) {
	var c claim
	err := s.look(appendClaimKey(nil, hash), func(v []byte) (err error) {
		c, err = parseClaim(hash[:], v)
		return err
	})
	return &c, err
}

func (t *txn) writeClaim(c, old *claim) {
	if old != nil {
		t.eraseClaim(old)
	}
	t.claims(c.Hash)
	t.set(appendClaimKey(t.key[:0], &c.Hash), c.value())
	t.expires(appendClaimExpiry(t.key[:0], c), nil)
	t.delta.keys++
}

func (t *txn) eraseClaim(c *claim) {
	t.claims(c.Hash)
	t.unset(appendClaimKey(t.key[:0], &c.Hash))
	t.unset(appendClaimExpiry(t.key[:0], c))
	t.delta.keys--
}

// claims notes that the batch changes a key.
func (t *txn) claims(hash [32]byte) {
	if t.claimed == nil {
		t.claimed = map[[32]byte]struct{}{}
	}
	t.claimed[hash] = struct{}{}
}

func (t *txn) unclaim(k *store.Key) error {
	if _, ok := t.claimed[k.Hash]; ok {
		return errConflict
	}
	old, err := t.s.getClaim(&k.Hash)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case old.print == t.s.fingerprint(k) && sameStamp(old.Expires, k.Expires):
		t.eraseClaim(old)
	}
	return nil
}

// appendClaimExpiry makes the key under which the end of a key is found.
func appendClaimExpiry(b []byte, c *claim) []byte {
	return append(append(appendExpiry(b, c.Expires), ofClaim), c.Hash[:]...)
}
