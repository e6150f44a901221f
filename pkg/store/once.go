package store

// Idempotency keys: what a caller has submitted under a key is taken once.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"queue-worker/pkg/invocation"
)

// Key is an Idempotency-Key of one function, known until it expires.
type Key struct {
	Hash    [32]byte  // of the key and what it is meant for
	Payload [32]byte  // digest of what was sent with it
	Expires time.Time // first instant at which it is forgotten
}

// KeyError is returned for a key that is known already: nothing was taken.
type KeyError struct {
	ID     invocation.ID // what was taken under the key
	CallID string
	Same   bool // it was the same payload
}

func (e *KeyError) Error() string {
	if e.Same {
		return fmt.Sprintf("the idempotency key was used for %s", e.ID)
	}
	return fmt.Sprintf("the idempotency key was used for %s, with another payload", e.ID)
}

// Claim notes that k stands for an invocation that is not in the store, because
// the caller has published it instead. A *KeyError when the key is known.
func (s *Store) Claim(ctx context.Context, k Key, id invocation.ID, callID string) error {
	o := &claimOp{claim: claim{k, id, callID}, call: make(call, 1)}
	return s.wait(ctx, o, o.call)
}

// Unclaim forgets a key, if it is known with the same payload and expiry: what
// stood for it was not taken after all.
func (s *Store) Unclaim(ctx context.Context, k Key) error {
	o := &unclaimOp{k: k, call: make(call, 1)}
	return s.wait(ctx, o, o.call)
}

// claim is a key with what it stands for.
type claim struct {
	Key
	id     invocation.ID
	callID string
}

const claimLen = 32 + stampLen + idLen // of the value, without the call id

func (c *claim) value() []byte {
	b := append(make([]byte, 0, claimLen+len(c.callID)), c.Payload[:]...)
	return append(append(stamp(b, c.Expires), c.id[:]...), c.callID...)
}

func parseClaim(hash, v []byte) (c claim, err error) {
	if len(hash) != len(c.Hash) || len(v) < claimLen {
		return c, errBadKey
	}
	c.Hash, c.Payload = [32]byte(hash), [32]byte(v)
	c.Expires = unstamp(v[32 : 32+stampLen])
	c.id = invocation.ID(v[32+stampLen : claimLen])
	c.callID = string(v[claimLen:])
	return c, nil
}

func appendClaimKey(b []byte, hash *[32]byte) []byte {
	return append(append(b, claimPrefix...), hash[:]...)
}

type claimOp struct {
	claim
	call
}

func (o *claimOp) size() int { return len(o.callID) }

func (o *claimOp) stage(t *txn) error {
	old, err := t.mayClaim(&o.claim)
	if err == nil {
		t.writeClaim(&o.claim, old)
	}
	return err
}

// mayClaim returns nil, or a *KeyError when the key is known. Old is what it stood
// for before it expired, which writeClaim replaces; nil for nothing.
func (t *txn) mayClaim(c *claim) (old *claim, err error) {
	if _, ok := t.claimed[c.Hash]; ok {
		return nil, errConflict
	}
	old, err = t.s.getClaim(&c.Hash)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case old.Expires.After(t.now):
		return nil, &KeyError{ID: old.id, CallID: old.callID, Same: old.Payload == c.Payload}
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

type unclaimOp struct {
	call
	k Key
}

func (o *unclaimOp) size() int { return 0 }

func (o *unclaimOp) stage(t *txn) error {
	if _, ok := t.claimed[o.k.Hash]; ok {
		return errConflict
	}
	old, err := t.s.getClaim(&o.k.Hash)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case old.Payload == o.k.Payload && sameStamp(old.Expires, o.k.Expires):
		t.eraseClaim(old)
	}
	return nil
}

// appendClaimExpiry makes the key under which the end of a key is found.
func appendClaimExpiry(b []byte, c *claim) []byte {
	return append(append(appendExpiry(b, c.Expires), ofClaim), c.Hash[:]...)
}
