package store

// The bounds of the dead set, which take the oldest. letters.go lists it, act.go
// has what people do with it.

import (
	"context"
	"time"

	"queue-worker/pkg/invocation"
)

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
