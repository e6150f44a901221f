// File act.go replays and drops dead letters and cancels pending invocations, one at a time or many
// in one batch.

package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// Act carries out a batch, and returns when it is durable what became of each id, in the order of
// the ids. Ids that are not found fail by themselves: the others are acted upon and the note is
// written all the same. An error means that nothing was done, ErrNote that it was because of the
// note. When ctx ends first, the batch may still be carried out, all of it.
func (s *Store) Act(ctx context.Context, b store.Batch) ([]store.Taken, error) {
	if len(b.IDs) > store.MaxActs {
		return nil, fmt.Errorf("%d ids in one batch, at most %d are allowed", len(b.IDs), store.MaxActs)
	}
	if b.Note != nil {
		if err := b.Note.Check(); err != nil {
			return nil, err
		}
		b.Note = &store.Note{Name: b.Note.Name, Value: bytes.Clone(b.Note.Value)}
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
			o.ids = append(o.ids, id)
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

// Replay takes a dead letter out of the dead set and makes it ready at once, with all its retries
// before it and however old it is. ErrNotFound when no dead letter has this id.
func (s *Store) Replay(ctx context.Context, id invocation.ID) error {
	_, err := s.one(ctx, store.ActReplay, id)
	return err
}

// Drop removes a dead letter for good. ErrNotFound when no dead letter has this id.
func (s *Store) Drop(ctx context.Context, id invocation.ID) error {
	_, err := s.one(ctx, store.ActDrop, id)
	return err
}

// Cancel removes an invocation that is ready, in flight or delayed, and returns it as it was. It
// counts as dropped. ErrDead when it is in the dead set, ErrNotFound when nothing has this id.
func (s *Store) Cancel(ctx context.Context, id invocation.ID) (*invocation.Invocation, error) {
	return s.one(ctx, store.ActCancel, id)
}

type actOp struct {
	store.Batch
	call
	ids   []invocation.ID // each once
	taken []store.Taken   // made by every attempt at the batch
}

func (o *actOp) size() int {
	if o.Note == nil {
		return 0
	}
	return len(o.Note.Value)
}

func (o *actOp) begin(*txn) error { return nil }

func (o *actOp) stage(t *txn) error {
	o.taken = make([]store.Taken, len(o.ids))
	for i, id := range o.ids {
		o.taken[i] = store.Taken{ID: id, Err: store.ErrNotFound}
	}
	if o.Note != nil {
		if err := t.mayNote(o.Note); err != nil {
			return err
		}
	}
	var err error
	switch {
	case len(o.ids) == 0:
	case o.Verb == store.ActCancel:
		err = o.cancel(t)
	case o.Verb == store.ActReplay || o.Verb == store.ActDrop:
		err = o.takeDead(t)
	default:
		panic("store: unknown verb")
	}
	if err == nil && o.Note != nil {
		t.putNote(o.Note)
	}
	return err
}

// takeDead replays or drops dead letters.
func (o *actOp) takeDead(t *txn) error {
	letters, err := t.letters("dead to change", uuids(o.ids))
	if err != nil {
		return err
	}
	stale := superseding{}
	if o.Verb == store.ActReplay {
		if stale, err = o.findStale(t, letters); err != nil {
			return err
		}
	}
	var dropped [][16]byte
	var revived []*invocation.Invocation
	for i := range o.taken {
		x := &o.taken[i]
		inv := letters[x.ID]
		switch {
		case inv == nil || !o.Before.IsZero() && !inv.DiedAt.Before(o.Before):
			continue
		case o.Verb == store.ActDrop:
			dropped = append(dropped, x.ID)
			t.leaveDead(inv)
			t.delta.bytes -= int64(inv.StoredBytes())
			t.ended(inv, invocation.OutcomeDropped)
		case stale.marked[x.ID] != nil || inv.Superseded && !o.Force:
			x.Err = store.ErrSuperseded
			continue
		default:
			revived = append(revived, inv)
			o.revive(t, inv)
			stale.acted[x.ID] = true
			x.Superseded = stale.take(t, x.ID)
		}
		x.Inv, x.Err = inv, nil
	}
	if len(dropped) > 0 {
		_, err = t.exec("remove dead", dropped)
		return err
	}
	if err := t.replay(revived); err != nil {
		return err
	}
	return stale.write(t)
}

// revive counts a dead letter that is replayed.
func (o *actOp) revive(t *txn, inv *invocation.Invocation) {
	t.leaveDead(inv)
	revive(inv, t.now, o.Job)
	t.changedTo(inv, "")
	t.arrive(inv, false)
	if !o.Job.IsZero() {
		t.second.tally(o.Job).Replayed++
	}
}

// replay moves dead letters to what is pending.
func (t *txn) replay(all []*invocation.Invocation) error {
	if len(all) == 0 {
		return nil
	}
	var ids [][16]byte
	var since []int64
	var mailbox []bool
	var recs [][]byte
	for _, inv := range all {
		ids, since = append(ids, inv.ID), append(since, stamp(inv.Since))
		mailbox, recs = append(mailbox, isMailbox(inv)), append(recs, record.Encode(inv))
	}
	_, err := t.exec("replay", ids, since, mailbox, recs)
	return err
}

// leaveDead counts a dead letter that leaves the dead set.
func (t *txn) leaveDead(inv *invocation.Invocation) {
	t.delta.dead(inv.Lane, -1, inv.StoredBytes())
}

// revive makes a dead letter ready at once, for a job or, with the zero id, without one. What
// bounded its age is past, and it was not a bound on operators.
func revive(inv *invocation.Invocation, now time.Time, job invocation.ID) {
	inv.State, inv.Since = invocation.Pending, now
	inv.Retries, inv.Crashes = firstRetries(inv.Terms), 0
	inv.Reason, inv.Detail, inv.DiedAt = "", "", time.Time{}
	inv.Replays++
	inv.Job = job
	if inv.Terms != nil {
		inv.Terms.Expires = time.Time{}
	}
}

// firstRetries is what an invocation begins with. One of the mailbox comes from a caller who has
// tried already: its first call is the first retry.
func firstRetries(terms *invocation.Terms) int {
	if terms == nil || terms.Source != invocation.SourceMailbox || terms.MaxRetries == 0 {
		return 0
	}
	return 1
}

// letters reads dead letters that are about to change.
func (t *txn) letters(name string, args ...any) (map[invocation.ID]*invocation.Invocation, error) {
	all := map[invocation.ID]*invocation.Invocation{}
	err := t.query(func(rows pgx.Rows) error {
		inv, err := scanLetter(rows)
		if err == nil {
			all[inv.ID] = inv
		}
		return err
	}, name, args...)
	return all, err
}

func scanLetter(rows pgx.Rows) (*invocation.Invocation, error) {
	var id [16]byte
	var rec []byte
	if err := rows.Scan(&id, &rec); err != nil {
		return nil, err
	}
	return record.Decode(id, rec)
}
