// File act.go replays and drops dead letters and cancels pending invocations, one at a
// time or many in one batch.

package embedded

import (
	"context"
	"errors"
	"fmt"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Act carries out a batch, and returns when it is durable what became of each
// id, in the order of the ids. Ids that are not found fail by themselves: the
// others are acted upon and the note is written all the same. An error means
// that nothing was done, ErrNote that it was because of the note. When ctx ends
// first, the batch may still be carried out, all of it.
func (s *Store) Act(ctx context.Context, b store.Batch) ([]store.Taken, error) {
	if len(b.IDs) > store.MaxActs {
		return nil, fmt.Errorf("%d ids in one batch, at most %d are allowed", len(b.IDs), store.MaxActs)
	}
	if b.Note != nil {
		if err := b.Note.Check(); err != nil {
			return nil, err
		}
		b.Note = cloneNote(*b.Note)
	}
	taken, err := s.act(ctx, b)
	for i := range taken {
		if errors.Is(taken[i].Err, store.ErrDead) {
			taken[i].Err = store.ErrNotFound
		}
	}
	return taken, err
}

func (s *Store) act(ctx context.Context, b store.Batch) ([]store.Taken, error) {
	o := &actOp{Batch: b, call: make(call, 1)}
	known := make(map[invocation.ID]bool, len(b.IDs))
	for _, id := range b.IDs {
		if !known[id] {
			known[id] = true
			o.taken = append(o.taken, store.Taken{ID: id})
		}
	}
	if err := s.wait(ctx, o, o.call); err != nil {
		return nil, err
	}
	s.logSuperseded(o.taken)
	return o.taken, nil
}

// one acts on one invocation.
func (s *Store) one(ctx context.Context, v store.Verb, id invocation.ID) (*invocation.Invocation, error) {
	taken, err := s.act(ctx, store.Batch{Verb: v, IDs: []invocation.ID{id}})
	if err != nil {
		return nil, err
	}
	return taken[0].Inv, taken[0].Err
}

// Replay takes a dead letter out of the dead set and makes it ready at once,
// with all its retries before it and however old it is. Its history stays.
// ErrNotFound when no dead letter has this id; so a second replay of one letter
// does nothing.
func (s *Store) Replay(ctx context.Context, id invocation.ID) error {
	_, err := s.one(ctx, store.ActReplay, id)
	return err
}

// Drop removes a dead letter for good. ErrNotFound when no dead letter has this id.
func (s *Store) Drop(ctx context.Context, id invocation.ID) error {
	_, err := s.one(ctx, store.ActDrop, id)
	return err
}

// Cancel removes an invocation that is ready or delayed, and returns it as it
// was. It counts as dropped. One that is being called is removed too; who
// settles it then finds it gone. ErrDead when it is in the dead set, ErrNotFound
// when nothing has this id.
func (s *Store) Cancel(ctx context.Context, id invocation.ID) (*invocation.Invocation, error) {
	return s.one(ctx, store.ActCancel, id)
}

type actOp struct {
	store.Batch
	call
	taken []store.Taken
	// Of ActReplay: the callbacks of what is replayed, by its id, and the dead ones among them that
	// this act supersedes.
	stale  map[invocation.ID][]*invocation.Invocation
	marked map[invocation.ID]bool
}

func (o *actOp) size() int {
	if o.Note == nil {
		return 0
	}
	return len(o.Note.Value)
}

// stage looks at everything that can refuse the whole before it writes anything.
func (o *actOp) stage(t *txn) error {
	for i := range o.taken {
		if _, ok := t.touched[o.taken[i].ID]; ok {
			return errConflict
		}
	}
	if o.Verb == store.ActReplay {
		if err := o.findStale(t); err != nil {
			return err
		}
	}
	if o.Note != nil {
		if err := t.write(o.Note); err != nil {
			return err
		}
	}
	for i := range o.taken {
		x := &o.taken[i]
		t.touched[x.ID] = struct{}{}
		if o.Verb == store.ActCancel && o.Except != nil && o.Except(x.ID) {
			x.Err = store.ErrNotFound
			continue
		}
		if o.marked[x.ID] {
			x.Err = store.ErrSuperseded
			continue
		}
		t.s.handover.act(x.ID)
		if x.Inv, x.Err = t.act(&o.Batch, x.ID); x.Err == nil {
			x.Superseded = o.supersede(t, x.ID)
		}
	}
	return nil
}

// act stages what is done with one invocation, or nothing with the error.
func (t *txn) act(b *store.Batch, id invocation.ID) (*invocation.Invocation, error) {
	inv, err := t.s.get(id)
	if err != nil {
		return nil, err
	}
	was, err := t.bodyOf(inv)
	if err != nil {
		return nil, err
	}
	dead := inv.State == invocation.Dead
	switch b.Verb {
	case store.ActReplay, store.ActDrop:
		if !dead || !b.Before.IsZero() && !inv.DiedAt.Before(b.Before) {
			return nil, store.ErrNotFound
		}
		if b.Verb == store.ActReplay && inv.Superseded && !b.Force {
			return nil, store.ErrSuperseded
		}
		t.leaveDead(inv)
		if b.Verb == store.ActReplay {
			t.revive(inv, was, b.Job)
			return inv, nil
		}
	case store.ActCancel:
		if dead {
			return nil, store.ErrDead
		}
		if err := t.leavePending(inv); err != nil {
			return nil, err
		}
		t.leaveDeadline(inv.ID, inv.Expires())
		t.finishedFor(inv.Job, invocation.OutcomeCancelled)
	default:
		panic("store: unknown verb")
	}
	if b.Verb == store.ActDrop {
		t.conclude(invocation.OutcomeDropped, inv, nil, was)
		return inv, nil
	}
	last := t.lastCallback(inv, was)
	t.conclude(invocation.OutcomeCancelled, inv, nil, was)
	if last != nil {
		t.follow(newArrival(*last))
	}
	return inv, nil
}

// lastCallback makes the callback of a replayed invocation that is cancelled, nil for none.
func (t *txn) lastCallback(inv *invocation.Invocation, was body) (last *store.Accept) {
	if inv.Replays == 0 || inv.Kind != invocation.KindFunction || t.s.opts.LastCallback == nil {
		return nil
	}
	if was.inline {
		return t.s.opts.LastCallback(inv, was.raw)
	}
	_ = t.s.lookBody(inv.ID, func(raw []byte) error { // an error has been noted
		last = t.s.opts.LastCallback(inv, raw)
		return nil
	})
	return last
}
