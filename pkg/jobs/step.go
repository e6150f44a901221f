// File step.go does one step of a replay or a drop.

package jobs

import (
	"context"
	"fmt"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// stepLetters acts on the next letters of the set, as many as the rate, the live
// work and the canary allow.
func (j *Jobs) stepLetters(ctx context.Context, b *job, r *record) (hold, error) {
	if r.MaxFailedShare != nil {
		if h, err := j.guard(ctx, b, r); err != nil || h != (hold{}) {
			return h, err
		}
	}
	left := r.Plan.Count - r.Done - r.Skipped
	if left <= 0 || r.AtEnd {
		return hold{}, j.finish(ctx, b, Done, "")
	}
	f, err := j.filter(r)
	if err != nil {
		return hold{}, j.finish(ctx, b, Stopped, "its filter cannot be read: "+err.Error())
	}
	page, h, err := j.nextPage(ctx, r, f, min(j.stepSize(r), left, r.quota()))
	if err != nil || h != (hold{}) {
		return h, err
	}
	s := sift(r, page)
	advance := func(r *record, taken []store.Taken) {
		r.Cursor, r.AtEnd = page.Next, page.Next == "" || s.pastEnd
		r.Skipped += s.leftOut
		r.count(taken)
	}
	if len(s.ids) == 0 {
		j.pass(b, advance)
		return hold{}, nil
	}
	err = j.commit(ctx, b, store.Batch{Verb: verbOf(r.Act), IDs: s.ids, Before: f.Until, Job: r.countedAs(), Force: r.Force}, advance)
	if err != nil {
		return hold{}, err
	}
	b.spend(len(s.ids), r.Rate)
	return hold{}, nil
}

// countedAs is the job that the store counts for, zero for none.
func (r *record) countedAs() invocation.ID {
	if !r.Counted {
		return invocation.ID{}
	}
	return r.ID
}

func verbOf(a Act) store.Verb {
	switch a {
	case Replay:
		return store.ActReplay
	case Drop:
		return store.ActDrop
	case Purge:
		return store.ActCancel
	}
	panic("jobs: unknown act")
}

// nextPage reads the next letters, no more of them than the lanes have room for.
func (j *Jobs) nextPage(ctx context.Context, r *record, f store.Filter, n int) (store.LetterPage, hold, error) {
	page, err := j.Store.Letters(ctx, f, r.Cursor, n)
	if err != nil || r.Act != Replay {
		return page, hold{}, err
	}
	room, busy, err := j.room(ctx, page.Letters)
	switch {
	case err != nil:
		return page, hold{}, err
	case room == len(page.Letters):
		return page, hold{}, nil
	case room == 0:
		lane := page.Letters[0].Lane
		return page, hold{why: fmt.Sprintf("for live work: %d invocations of %s wait to be called", busy, lane.Name), again: leastPoll, longer: true}, nil
	}
	page, err = j.Store.Letters(ctx, f, r.Cursor, room)
	return page, hold{}, err
}

// room is how many letters of a page can be replayed before one of their lanes has
// more waiting than max_inflight; and how many that one has.
func (j *Jobs) room(ctx context.Context, page []*invocation.Invocation) (n, waiting int, err error) {
	have := map[invocation.Lane]int{}
	for i, inv := range page {
		w, known := have[inv.Lane]
		if !known {
			if w, err = j.Waiting(ctx, inv.Lane); err != nil {
				return 0, 0, err
			}
		}
		if w > j.MaxInflight {
			return i, w, nil
		}
		have[inv.Lane] = w + 1
	}
	return len(page), 0, nil
}

// A job that holds for live work looks again soon, so that it is as fast as the
// function, and less often the longer it lasts.
const (
	leastPoll = 10 * time.Millisecond
	mostPoll  = 250 * time.Millisecond
)

// noteClock remembers how far the clock was set back since the plan.
func (j *Jobs) noteClock(b *job) {
	now := j.now().Round(0).UTC()
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := &b.rec; now.Before(r.Cut) && (r.Low.IsZero() || now.Before(r.Low)) {
		r.Low = now
	}
}

// sifted are the letters of a page that a step acts on.
type sifted struct {
	ids     []invocation.ID
	leftOut int  // they stay in the dead set
	pastEnd bool // the set has come to its end
}

func sift(r *record, page store.LetterPage) (s sifted) {
	for _, inv := range page.Letters {
		switch {
		case r.End != nil && r.End.isBefore(inv):
			s.pastEnd = true
			return s
		case r.Act == Replay && !r.Force && (inv.Replays >= store.ManyReplays || inv.Superseded), r.mayHaveDiedAgain(inv):
			s.leftOut++
		default:
			s.ids = append(s.ids, inv.ID)
		}
	}
	return s
}

// mayHaveDiedAgain reports whether a letter may have died after the plan although
// its time is before it: the clock was set back. In doubt it is left alone, since
// this job may have replayed it.
func (r *record) mayHaveDiedAgain(inv *invocation.Invocation) bool {
	return !r.Low.IsZero() && inv.Replays > 0 && !inv.DiedAt.Before(r.Low)
}

// count takes over what became of a step.
func (r *record) count(taken []store.Taken) {
	for _, t := range taken {
		if t.Err != nil { // it has left meanwhile, or cannot be read, which the store has logged
			r.Skipped++
			continue
		}
		r.Done++
		if r.MaxFailedShare != nil {
			r.watch(t.ID)
		}
	}
}

// pass moves a job on over letters that need no act. The store learns of it with
// the next step; after a crash before that they are passed again.
func (j *Jobs) pass(b *job, advance func(*record, []store.Taken)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.rec.fork()
	advance(&r, nil)
	b.rec.Progress, b.rec.way = r.Progress, r.way
}

// finish ends a job, or stops it. What has not been met is no longer there.
func (j *Jobs) finish(ctx context.Context, b *job, s State, why string) error {
	b.mu.Lock()
	if b.rec.State != Running {
		b.mu.Unlock()
		return errNotRunning
	}
	before := b.rec.fork()
	r := &b.rec
	r.State, r.Reason = s, why
	if s == Done {
		r.Skipped = max(r.Plan.Count-r.Done, 0)
		r.Finished = j.now().Round(0).UTC()
		r.way = way{}
	}
	b.mu.Unlock()
	if err := j.persist(ctx, b); err != nil {
		j.restore(b, s, before)
		return err
	}
	j.tellEnd(b)
	return nil
}

// restore takes back an end that could not be stored, so that it is tried again.
func (j *Jobs) restore(b *job, s State, before record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rec.State == s {
		b.rec = before
	}
}
