// File steer.go applies, pauses, resumes and cancels jobs, and writes their records to the
// store.

package jobs

import (
	"context"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Apply lets a plan be carried out. ErrNotFound, ErrApplied, ErrExpired, ErrOver
// after a cancel, or an error of the store; when ctx ends first, the change holds
// in this process and may or may not outlive it. The same is true of the others.
func (j *Jobs) Apply(ctx context.Context, id invocation.ID) (Job, error) {
	return j.steer(ctx, id, func(r *record, now time.Time) error {
		switch {
		case r.Reason == whyExpired:
			return ErrExpired
		case r.State == Cancelled && r.Applied.IsZero():
			return ErrOver
		case r.State != Planned:
			return ErrApplied
		case !now.Before(r.Expires):
			return ErrExpired
		}
		r.State, r.Applied, r.Expires = Running, now, time.Time{}
		return nil
	})
}

// Pause holds a job until Resume, over restarts too. A step that has begun ends.
func (j *Jobs) Pause(ctx context.Context, id invocation.ID) (Job, error) {
	return j.steer(ctx, id, func(r *record, _ time.Time) error {
		if err := steerable(r.State); err != nil {
			return err
		}
		if r.State == Running {
			r.State, r.Reason = Paused, ""
		}
		return nil
	})
}

// Resume continues after Pause, and after the job has stopped because of failures; what was
// watched until then counts no more.
func (j *Jobs) Resume(ctx context.Context, id invocation.ID) (Job, error) {
	return j.steer(ctx, id, func(r *record, _ time.Time) error {
		if err := steerable(r.State); err != nil {
			return err
		}
		if r.State == Stopped {
			r.pardon()
		}
		r.State, r.Reason = Running, ""
		return nil
	})
}

// Cancel ends a plan or a job for good. What is done stays done.
func (j *Jobs) Cancel(ctx context.Context, id invocation.ID) (Job, error) {
	return j.steer(ctx, id, func(r *record, now time.Time) error {
		switch r.State {
		case Cancelled:
			return nil
		case Done:
			return ErrOver
		default: // all others may be cancelled
		}
		r.State, r.Reason, r.Finished, r.Expires = Cancelled, "", now, time.Time{}
		return nil
	})
}

// steerable returns why a job can be neither paused nor resumed.
func steerable(s State) error {
	switch {
	case s == Planned:
		return ErrNotApplied
	case s.IsOver():
		return ErrOver
	}
	return nil
}

// steer changes the state of a job, in memory at once and then in the store.
func (j *Jobs) steer(ctx context.Context, id invocation.ID, change func(*record, time.Time) error) (Job, error) {
	b, err := j.find(id)
	if err != nil {
		return Job{}, err
	}
	j.noteClock(b)
	b.mu.Lock()
	before := b.rec.State
	err = change(&b.rec, j.now().Round(0).UTC())
	after := b.rec.State
	b.mu.Unlock()
	if err != nil {
		return j.view(b), err
	}
	if before != after {
		err = j.persist(ctx, b)
		j.begin(b)
	}
	return j.view(b), err
}

// begin gives a job that was applied its goroutine, or wakes the one that it has.
func (j *Jobs) begin(b *job) {
	j.mu.Lock()
	j.launch(b)
	j.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// beginWriting takes the right to write the record of a job.
func (b *job) beginWriting(ctx context.Context) error {
	select {
	case b.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *job) endWriting() { <-b.writing }

// persist writes the record of a job as it is when its turn has come.
func (j *Jobs) persist(ctx context.Context, b *job) error {
	if err := b.beginWriting(ctx); err != nil {
		return err
	}
	defer b.endWriting()
	r := b.record()
	n, err := r.note()
	if err != nil {
		return err
	}
	return j.Store.PutNote(ctx, *n)
}

// commit carries out one step: an act on some ids, in one batch with the record as
// advance makes it of what became of them. The note has to be written before that
// is known, so it supposes that all are taken; where that is wrong it is written
// once more. errNotRunning when the job was steered meanwhile.
func (j *Jobs) commit(ctx context.Context, b *job, x store.Batch, advance func(*record, []store.Taken)) error {
	if err := b.beginWriting(ctx); err != nil {
		return err
	}
	right, err := j.act(ctx, b, x, advance)
	b.endWriting()
	if err == nil && !right {
		err = j.persist(ctx, b)
	}
	return err
}

// act is commit's part that holds the right to write.
func (j *Jobs) act(ctx context.Context, b *job, x store.Batch, advance func(*record, []store.Taken)) (right bool, err error) {
	r := b.record()
	if r.State != Running {
		return true, errNotRunning
	}
	supposed := r.fork()
	advance(&supposed, allTaken(x.IDs))
	if x.Note, err = supposed.note(); err != nil {
		return true, err
	}
	taken, err := j.Store.Act(ctx, x)
	if err != nil {
		return true, err
	}
	advance(&r, taken)
	b.mu.Lock()
	b.rec.Progress, b.rec.way = r.Progress, r.way // the state may be another by now
	b.mu.Unlock()
	j.Metrics.acted(r.Act, r.Done-supposed.Done+len(x.IDs))
	return r.Done == supposed.Done, nil
}

func allTaken(ids []invocation.ID) []store.Taken {
	all := make([]store.Taken, len(ids))
	for i, id := range ids {
		all[i].ID = id
	}
	return all
}
