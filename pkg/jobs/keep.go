// File keep.go expires plans and removes old jobs.

package jobs

import (
	"context"
	"slices"
	"time"

	"queue-worker/pkg/store"
)

// add keeps a new job, in the store first.
func (j *Jobs) add(ctx context.Context, r *record) (Job, error) {
	n, err := r.note()
	if err != nil {
		return Job{}, err
	}
	b := newJob(*r)
	j.mu.Lock()
	if j.open() >= maxOpen {
		j.mu.Unlock()
		return Job{}, ErrTooMany
	}
	j.all[b.id] = b // before it is stored, so that no more than so many are added at once
	j.mu.Unlock()
	if err := j.Store.PutNote(ctx, *n); err != nil {
		j.mu.Lock()
		delete(j.all, b.id)
		j.mu.Unlock()
		return Job{}, err
	}
	j.tellNew(b)
	if r.State == Running {
		j.mu.Lock()
		j.launch(b)
		j.mu.Unlock()
	}
	return j.view(b), nil
}

// open counts the jobs that are not over. The lock is held.
func (j *Jobs) open() int {
	n := 0
	for _, b := range j.all {
		if !b.state().IsOver() {
			n++
		}
	}
	return n
}

// tidy ends what has expired and forgets what was kept long enough, until ctx ends.
func (j *Jobs) tidy(ctx context.Context) {
	tick := time.NewTicker(keepPeriod)
	defer tick.Stop()
	for {
		j.expire(ctx)
		j.forget(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// expire cancels the plans that were not applied in time, and notes how far the
// clock was set back.
func (j *Jobs) expire(ctx context.Context) {
	for _, v := range j.List() {
		b, err := j.find(v.ID)
		if err != nil || v.State.IsOver() {
			continue
		}
		j.noteClock(b) // a paused job does not look at it
		if v.State != Planned || j.now().Before(v.Expires) {
			continue
		}
		b.mu.Lock()
		is := b.rec.State == Planned
		if is {
			b.rec.State, b.rec.Reason, b.rec.Finished = Cancelled, whyExpired, b.rec.Expires
		}
		b.mu.Unlock()
		if is && j.persist(ctx, b) != nil {
			return // it has expired all the same, by its time
		}
	}
}

const whyExpired = "the plan was not applied in time"

// forget removes finished jobs: those that are old, and the oldest when
// there are too many.
func (j *Jobs) forget(ctx context.Context) {
	over := slices.DeleteFunc(j.List(), func(v Job) bool { return !v.State.IsOver() })
	slices.SortStableFunc(over, func(a, b Job) int { return b.Finished.Compare(a.Finished) })
	for i, v := range over {
		if i < maxOver && j.now().Sub(v.Finished) < keepOver {
			continue
		}
		// order matters: counts without a job would stay for good.
		if v.Counted && j.Store.DropTally(ctx, v.ID) != nil {
			return
		}
		if err := j.Store.PutNote(ctx, store.Note{Name: noteName(v.ID)}); err != nil {
			return
		}
		j.mu.Lock()
		delete(j.all, v.ID)
		j.mu.Unlock()
	}
}
