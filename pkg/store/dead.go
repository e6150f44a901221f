package store

// The dead set: list, replay, drop, and the bounds that take the oldest.

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
)

// ErrBadCursor is returned for a cursor that ListDead did not give.
var ErrBadCursor = errors.New("not a cursor of this listing")

// ListDead reads up to limit dead letters, oldest first, beginning after the
// cursor of an earlier page ("" for the start). The cursor it returns is "" when
// there are no more. A letter that dies meanwhile appears on a later page; none
// appears twice.
func (s *Store) ListDead(cursor string, limit int) (page []*invocation.Invocation, next string, err error) {
	lower := deadPrefix
	if cursor != "" {
		tail, err := hex.DecodeString(cursor)
		if err != nil || len(tail) != tailLen {
			return nil, "", ErrBadCursor
		}
		lower = append(append(bytes.Clone(deadPrefix), tail...), 0)
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: after(deadPrefix)})
	if err != nil {
		return nil, "", s.damaged(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if len(page) == limit {
			last := page[limit-1]
			next = hex.EncodeToString(deadKey(last.DiedAt, last.ID)[len(deadPrefix):])
			break
		}
		_, id := parseTail(it.Key())
		inv, err := s.Get(id)
		if errors.Is(err, ErrNotFound) {
			continue // replayed or dropped since
		}
		if err != nil {
			return nil, "", closing(err, it)
		}
		page = append(page, inv)
	}
	return page, next, s.damaged(closing(it.Error(), it))
}

// Replay takes a dead letter out of the dead set and makes it ready at once,
// with all its retries before it. Its history stays. ErrNotFound when no dead
// letter has this id; so a second replay of one letter does nothing.
func (s *Store) Replay(ctx context.Context, id invocation.ID) error {
	o := &deadOp{id: id, call: make(call, 1), then: func(t *txn, inv *invocation.Invocation) {
		inv.State, inv.Since = invocation.Pending, t.now
		inv.Retries, inv.Crashes = 0, 0
		inv.Reason, inv.Detail, inv.DiedAt = "", "", time.Time{}
		inv.Replays++
		t.put(inv)
	}}
	return s.wait(ctx, o, o.call)
}

// Drop removes a dead letter for good. ErrNotFound when no dead letter has this id.
func (s *Store) Drop(ctx context.Context, id invocation.ID) error {
	o := &deadOp{id: id, call: make(call, 1), then: (*txn).discard}
	return s.wait(ctx, o, o.call)
}

func (t *txn) discard(inv *invocation.Invocation) { t.conclude(Drop, inv) }

// deadOp takes one letter out of the dead set and carries out what comes then.
type deadOp struct {
	call
	id   invocation.ID
	then func(*txn, *invocation.Invocation)
}

func (o *deadOp) size() int { return 0 }

func (o *deadOp) stage(t *txn) error {
	if err := t.touch(o.id); err != nil {
		return err
	}
	inv, err := t.s.Get(o.id)
	if err != nil {
		return err
	}
	if inv.State != invocation.Dead {
		return ErrNotFound
	}
	t.leaveDead(inv)
	o.then(t, inv)
	return nil
}

// leaveDead deletes the index entry of a dead letter.
func (t *txn) leaveDead(inv *invocation.Invocation) {
	t.unset(deadKey(inv.DiedAt, inv.ID))
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

// stage has a batch to itself, because it reads what others of the batch may write.
func (o *expireOp) stage(t *txn) error {
	if len(t.ops) > 0 {
		return errConflict
	}
	it, err := t.s.db.NewIter(&pebble.IterOptions{LowerBound: deadPrefix, UpperBound: after(deadPrefix)})
	if err != nil {
		return t.s.damaged(err)
	}
	held := t.s.Stats().DeadBytes
	var taken []*invocation.Invocation
	for ok := it.First(); ok && len(taken) < expireStep; ok = it.Next() {
		died, id := parseTail(it.Key())
		old := o.MaxAge > 0 && t.now.Sub(died) > o.MaxAge
		if !old && (o.MaxBytes <= 0 || held <= o.MaxBytes) {
			break
		}
		inv, err := t.s.Get(id)
		if err != nil {
			return closing(err, it)
		}
		held -= int64(inv.Size)
		taken = append(taken, inv)
	}
	if err := closing(it.Error(), it); err != nil {
		return t.s.damaged(err)
	}
	for _, inv := range taken {
		t.touched[inv.ID] = struct{}{}
		t.leaveDead(inv)
		t.discard(inv)
	}
	o.taken = taken
	return nil
}
