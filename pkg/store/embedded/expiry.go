// File expiry.go has one index, by time of expiry, for idempotency keys and results.

package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// What an entry of the expiry index stands for.
const (
	ofClaim  = 'k'
	ofResult = 'o'
)

// sweepStep is how much one step of Sweep takes at most.
const sweepStep = 1000

func appendExpiry(b []byte, t time.Time) []byte { return stamp(append(b, expiryPrefix...), t) }

// expiry is one entry of the index.
type expiry struct {
	at   time.Time
	of   byte
	hash [32]byte      // of an idempotency key
	id   invocation.ID // of a result
	ending
}

// ending is what has to be known of a result to take it.
type ending struct {
	size int  // bytes that count
	body bool // it has one
	call [hashLen]byte
}

func (e *ending) value() []byte {
	b := binary.AppendUvarint(nil, uint64(e.size)) // #nosec G115 -- a length
	if e.body {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return append(b, e.call[:]...)
}

func parseExpiry(key, value []byte) (e expiry, err error) {
	head := len(expiryPrefix) + stampLen
	if len(key) <= head {
		return e, errBadKey
	}
	e.at, e.of = unstamp(key[len(expiryPrefix):head]), key[head]
	rest := key[head+1:]
	switch {
	case e.of == ofClaim && len(rest) == len(e.hash):
		e.hash = [32]byte(rest)
		return e, nil
	case e.of != ofResult || len(rest) != idLen:
		return e, errBadKey
	}
	e.id = invocation.ID(rest)
	if e.size, value, err = parseSize(value); err != nil || len(value) != 1+hashLen {
		return e, errBadKey
	}
	e.body, e.call = value[0] != 0, [hashLen]byte(value[1:])
	return e, nil
}

// expires writes an entry of the index.
func (t *txn) expires(key, value []byte) {
	if from := &t.s.sweepFrom; bytes.Compare(key, *from) < 0 {
		*from = append((*from)[:0], key...)
	}
	t.set(key, value)
}

// Sweep removes expired idempotency keys, results and ends, at most one step
// of them, and returns how many. Call it again while it returns any.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	o := &sweepOp{}
	if err := s.doAlone(ctx, o.stage); err != nil {
		return 0, err
	}
	return o.taken, nil
}

type sweepOp struct {
	taken int
}

// stage begins a batch, because it reads what any other operation of the same
// batch may write. sweepFrom passes over what is deleted but not yet compacted.
func (o *sweepOp) stage(t *txn) error {
	s := t.s
	lower := expiryPrefix
	if bytes.Compare(s.sweepFrom, lower) > 0 {
		lower = bytes.Clone(s.sweepFrom)
	}
	it, err := iterate(s.db, lower, after(expiryPrefix))
	if err != nil {
		return s.damaged(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		e, err := parseExpiry(it.Key(), it.Value())
		if err != nil {
			_ = s.damaged(err) // costs this entry only
			continue
		}
		if o.taken == sweepStep || e.at.After(t.now) {
			break
		}
		s.sweepFrom = append(s.sweepFrom[:0], it.Key()...)
		t.forget(&e)
		o.taken++
	}
	o.taken += t.trimEnds()
	if err := s.damaged(closing(it.Error(), it)); err != nil && o.taken == 0 {
		return err
	}
	return nil
}

// forget takes what an entry of the index stands for.
func (t *txn) forget(e *expiry) {
	if e.of == ofResult {
		t.touched[e.id] = struct{}{}
		t.eraseResult(e)
		return
	}
	c, err := t.s.getClaim(&e.hash)
	if err == nil && sameStamp(c.Expires, e.at) {
		t.eraseClaim(c)
		return
	}
	// Damage only: the entry stands for nothing that can be read.
	if errors.Is(err, store.ErrNotFound) || err == nil {
		t.unset(appendClaimExpiry(t.key[:0], &claim{Key: store.Key{Hash: e.hash, Expires: e.at}}))
		t.delta.keys--
	}
}
