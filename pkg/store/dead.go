package store

// The dead set: list, and the bounds that take the oldest. letters.go lists it,
// act.go has what people do with it.

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"time"

	"queue-worker/pkg/invocation"
)

// ListDead reads up to limit dead letters, oldest first, beginning after the
// cursor of an earlier page ("" for the start). The cursor it returns is "" when
// there are no more. A letter that dies meanwhile appears on a later page, and
// none appears twice unless it was replayed and died again. One whose record
// cannot be read is listed with what its index entry tells.
func (s *Store) ListDead(cursor string, limit int) (page []*invocation.Invocation, next string, err error) {
	lower := deadPrefix
	if cursor != "" {
		tail, err := hex.DecodeString(cursor)
		if err != nil || len(tail) != tailLen {
			return nil, "", ErrBadCursor
		}
		lower = append(append(bytes.Clone(deadPrefix), tail...), 0)
	}
	err = s.reading(lower, after(deadPrefix), func(key, value []byte) (bool, error) {
		if len(page) >= limit {
			next = cursor
			if len(page) > 0 {
				last := page[len(page)-1]
				next = hex.EncodeToString(appendTimedKey(nil, nil, last.DiedAt, last.ID))
			}
			return false, nil
		}
		inv, err := s.deadLetter(key, value)
		if inv != nil {
			page = append(page, inv)
		}
		return true, err
	})
	return page, next, err
}

// deadLetter reads the letter of an index entry; nil when it has left the dead
// set since.
func (s *Store) deadLetter(key, value []byte) (*invocation.Invocation, error) {
	e, err := parseEntry(inDead, key, value)
	if err != nil {
		return nil, err
	}
	inv, err := s.get(e.id)
	switch {
	case err == nil && inv.State == invocation.Dead && sameStamp(inv.DiedAt, e.at):
		return inv, nil
	case err == nil, errors.Is(err, ErrNotFound):
		return nil, nil
	}
	return e.letter.invocation(e), nil // s.get has noted the damage
}

// leaveDead deletes the index entry of a dead letter.
func (t *txn) leaveDead(inv *invocation.Invocation) {
	t.unset(appendTimedKey(t.key[:0], deadPrefix, inv.DiedAt, inv.ID))
	t.delta.place(inv.Lane, inDead, -1)
	t.delta.deadBytes -= int64(inv.Size)
}

// Bounds limits the dead set. Zero values are no limit.
type Bounds struct {
	MaxAge   time.Duration
	MaxBytes int64 // QueueRequests of all dead letters together
}

// expireStep is how many letters one step of Expire takes at most.
const expireStep = 500

// Expire drops the oldest dead letters that are beyond the bounds, at most one
// step of them, and tells which. Call it again while it returns any.
func (s *Store) Expire(ctx context.Context, b Bounds) ([]*invocation.Invocation, error) {
	o := &expireOp{Bounds: b, call: make(call, 1)}
	if err := s.wait(ctx, o, o.call); err != nil {
		return nil, err
	}
	return o.taken, nil
}

type expireOp struct {
	Bounds
	call
	taken []*invocation.Invocation
}

func (o *expireOp) size() int { return 0 }

// stage begins a batch, because it reads what others of the batch may write. A
// letter whose record cannot be read stays where it is.
func (o *expireOp) stage(t *txn) error {
	if len(t.ops) > 0 {
		return errConflict
	}
	held := t.s.Stats().DeadBytes
	err := t.s.each(deadPrefix, after(deadPrefix), func(key, value []byte) (bool, error) {
		e, err := parseEntry(inDead, key, value)
		if err != nil {
			return false, err
		}
		old := o.MaxAge > 0 && t.now.Sub(e.at) > o.MaxAge
		if len(o.taken) == expireStep || !old && (o.MaxBytes <= 0 || held <= o.MaxBytes) {
			return false, nil
		}
		held -= int64(e.size)
		if inv, err := t.s.get(e.id); err == nil {
			o.taken = append(o.taken, inv)
		}
		return true, nil
	})
	if err != nil {
		o.taken = nil
		return t.s.damaged(err)
	}
	for _, inv := range o.taken {
		t.touched[inv.ID] = struct{}{}
		t.leaveDead(inv)
		t.conclude(Drop, inv, nil)
	}
	return nil
}
