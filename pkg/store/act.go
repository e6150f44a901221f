// File act.go replays and drops dead letters and cancels pending invocations, one at a
// time or many in one batch.

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"queue-worker/pkg/invocation"
)

// ErrDead: it is dead, and can be dropped but not cancelled.
var ErrDead = errors.New("dead already")

// Verb is what is done with the invocations of a Batch.
type Verb uint8

const (
	// ActReplay takes dead letters out of the dead set and makes them ready at once.
	ActReplay Verb = iota
	// ActDrop removes dead letters for good.
	ActDrop
	// ActCancel removes what is ready or delayed. It counts as dropped.
	ActCancel
)

// MaxActs is how many ids a Batch may have. A batch holds up all others while it
// is staged.
const MaxActs = 1000

// Batch is an act on many invocations, and what its actor has to remember. On
// disk there is either all of it or nothing.
type Batch struct {
	Verb Verb
	IDs  []invocation.ID // an id that comes twice counts once
	Note *Note           // nil for none
	// Before leaves alone dead letters that died at or after it; zero for none. So
	// one that was read, replayed by another operator and is dead again is not taken.
	Before time.Time
	// Except says what ActCancel leaves alone, such as calls in flight; nil
	// for nothing. It is called on the committer's goroutine, must not block and
	// must not call the store.
	Except func(invocation.ID) bool
}

// Taken is what became of one invocation of a Batch.
type Taken struct {
	ID invocation.ID
	// Inv is the invocation: as it is now when it was replayed, as it was when it
	// has left the store.
	Inv *invocation.Invocation
	// Err is nil, ErrNotFound for what is not there or not in the state that the
	// verb needs, or anything else for what cannot be read.
	Err error
}

// Act carries out a batch, and returns when it is durable what became of each
// id, in the order of the ids. Ids that are not found fail by themselves: the
// others are acted upon and the note is written all the same. An error means
// that nothing was done, ErrNote that it was because of the note. When ctx ends
// first, the batch may still be carried out, all of it.
func (s *Store) Act(ctx context.Context, b Batch) ([]Taken, error) {
	if len(b.IDs) > MaxActs {
		return nil, fmt.Errorf("%d ids in one batch, at most %d are allowed", len(b.IDs), MaxActs)
	}
	if b.Note != nil {
		if err := b.Note.check(); err != nil {
			return nil, err
		}
		b.Note = b.Note.clone()
	}
	taken, err := s.act(ctx, b)
	for i := range taken {
		if errors.Is(taken[i].Err, ErrDead) {
			taken[i].Err = ErrNotFound
		}
	}
	return taken, err
}

func (s *Store) act(ctx context.Context, b Batch) ([]Taken, error) {
	o := &actOp{Batch: b, call: make(call, 1)}
	known := make(map[invocation.ID]bool, len(b.IDs))
	for _, id := range b.IDs {
		if !known[id] {
			known[id] = true
			o.taken = append(o.taken, Taken{ID: id})
		}
	}
	if err := s.wait(ctx, o, o.call); err != nil {
		return nil, err
	}
	return o.taken, nil
}

// one acts on one invocation.
func (s *Store) one(ctx context.Context, v Verb, id invocation.ID) (*invocation.Invocation, error) {
	taken, err := s.act(ctx, Batch{Verb: v, IDs: []invocation.ID{id}})
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
	_, err := s.one(ctx, ActReplay, id)
	return err
}

// Drop removes a dead letter for good. ErrNotFound when no dead letter has this id.
func (s *Store) Drop(ctx context.Context, id invocation.ID) error {
	_, err := s.one(ctx, ActDrop, id)
	return err
}

// Cancel removes an invocation that is ready or delayed, and returns it as it
// was. It counts as dropped. One that is being called is removed too; who
// settles it then finds it gone. ErrDead when it is in the dead set, ErrNotFound
// when nothing has this id.
func (s *Store) Cancel(ctx context.Context, id invocation.ID) (*invocation.Invocation, error) {
	return s.one(ctx, ActCancel, id)
}

type actOp struct {
	Batch
	call
	taken []Taken
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
	if o.Note != nil {
		if err := t.write(o.Note); err != nil {
			return err
		}
	}
	for i := range o.taken {
		x := &o.taken[i]
		t.touched[x.ID] = struct{}{}
		if o.Verb == ActCancel && o.Except != nil && o.Except(x.ID) {
			x.Err = ErrNotFound
			continue
		}
		t.s.handover.act(x.ID)
		x.Inv, x.Err = t.act(&o.Batch, x.ID)
	}
	return nil
}

// act stages what is done with one invocation, or nothing with the error.
func (t *txn) act(b *Batch, id invocation.ID) (*invocation.Invocation, error) {
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
	case ActReplay, ActDrop:
		if !dead || !b.Before.IsZero() && !inv.DiedAt.Before(b.Before) {
			return nil, ErrNotFound
		}
		t.leaveDead(inv)
		if b.Verb == ActReplay {
			t.revive(inv, was)
			return inv, nil
		}
	case ActCancel:
		if dead {
			return nil, ErrDead
		}
		if err := t.leavePending(inv); err != nil {
			return nil, err
		}
	default:
		panic("store: unknown verb")
	}
	t.conclude(invocation.OutcomeDropped, inv, nil, was)
	return inv, nil
}

// revive makes a dead letter ready at once. What bounded its age is past, and it
// was not a bound on operators.
func (t *txn) revive(inv *invocation.Invocation, was body) {
	inv.State, inv.Since = invocation.Pending, t.now
	inv.Retries, inv.Crashes = firstRetries(inv.Terms), 0
	inv.Reason, inv.Detail, inv.DiedAt = "", "", time.Time{}
	inv.Replays++
	if inv.Terms != nil {
		inv.Terms.Expires = time.Time{}
	}
	t.rewrite(inv, encodeRecord(inv), was)
}

// firstRetries is what an invocation begins with. One of the mailbox comes from a
// caller who has tried already: its first call is the first retry.
func firstRetries(terms *invocation.Terms) int {
	if terms == nil || terms.Source != invocation.SourceMailbox || terms.MaxRetries == 0 {
		return 0
	}
	return 1
}

// leavePending deletes the index entry of an invocation that is ready or delayed:
// the record does not tell which.
func (t *txn) leavePending(inv *invocation.Invocation) error {
	err := t.leaveReady(Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID})
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	key := appendTimedKey(t.key[:0], delayedPrefix, inv.Since, inv.ID)
	ok, err := t.s.has(key)
	if err == nil && !ok {
		err = t.s.damaged(fmt.Errorf("%s is in no index", inv.ID))
	}
	if err != nil {
		return err
	}
	t.unset(key)
	t.delta.pend(inv.Lane, inDelayed, inv.Source(), -1)
	return nil
}
