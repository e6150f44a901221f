// File bounds.go keeps the bounds of the dead set: beyond its age the oldest are dropped,
// beyond its bytes those that evict.go chooses.

package embedded

import (
	"context"
	"slices"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

func deadKey(inv *invocation.Invocation) []byte {
	return appendTimedKey(nil, deadPrefix, inv.DiedAt, inv.ID)
}

// expireStep is how many letters one step of Expire removes at most.
const expireStep = 1000

// Expire drops dead letters that are beyond the bounds, at most one step of them,
// and returns them: those that are too old, then the oldest of the class that uses
// most bytes. Call it again while it returns any.
func (s *Store) Expire(ctx context.Context, b store.Bounds) (store.Expired, error) {
	if b.MaxAge > 0 {
		o := &ageOp{maxAge: b.MaxAge}
		if err := s.doAlone(ctx, o.stage); err != nil {
			return store.Expired{}, err // the committer may still be at work on o
		}
		if len(o.taken) > 0 {
			return store.Expired{Letters: o.taken}, nil
		}
	}
	if b.MaxBytes > 0 {
		return s.evicting.step(ctx, s, b)
	}
	return store.Expired{}, nil
}

// ageOp drops the letters that are too old.
type ageOp struct {
	maxAge time.Duration
	taken  []*invocation.Invocation
}

// stage begins a batch, because it reads what others of the batch may write. A
// letter whose record cannot be read stays where it is.
func (o *ageOp) stage(t *txn) error {
	err := t.s.each(deadPrefix, after(deadPrefix), func(key, value []byte) (bool, error) {
		e, err := parseEntry(inDead, key, value)
		if err != nil {
			_ = t.s.damaged(err) // costs this entry only
			return true, nil
		}
		if len(o.taken) == expireStep || t.now.Sub(e.at) <= o.maxAge {
			return false, nil
		}
		if inv, err := t.s.get(e.id); err == nil {
			o.taken = append(o.taken, inv)
		}
		return true, nil
	})
	if err != nil {
		o.taken = nil
		return t.s.damaged(err)
	}
	o.taken = slices.DeleteFunc(o.taken, func(inv *invocation.Invocation) bool { return !t.expire(inv) })
	return nil
}

// expire drops a dead letter, unless it cannot be read.
func (t *txn) expire(inv *invocation.Invocation) (dropped bool) {
	was, err := t.bodyOf(inv)
	if err != nil {
		return false // the error has been noted
	}
	t.touched[inv.ID] = struct{}{}
	t.leaveDead(inv)
	t.conclude(invocation.OutcomeDropped, inv, nil, was)
	return true
}

// bytesOp drops letters that were chosen, in their order, until the rest is within the
// bound. One that has been replayed, dropped or damaged since is left out.
type bytesOp struct {
	maxBytes int64
	chosen   []*invocation.Invocation
	taken    []*invocation.Invocation
}

// stage begins a batch, because it reads what others of the batch may write.
func (o *bytesOp) stage(t *txn) error {
	held := t.s.Stats().DeadBytes
	for _, was := range o.chosen {
		if held <= o.maxBytes {
			break
		}
		inv, err := t.s.get(was.ID)
		if err != nil || inv.State != invocation.Dead || !sameStamp(inv.DiedAt, was.DiedAt) {
			continue
		}
		if t.expire(inv) {
			held -= int64(inv.StoredBytes())
			o.taken = append(o.taken, inv)
		}
	}
	return nil
}
