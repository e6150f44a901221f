// File run.go has the goroutine of a job: its steps, its waits, its end.

package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"queue-worker/pkg/store"
)

// hold is why a job has to wait, and when to look again. The zero hold
// means that it can.
type hold struct {
	why    string
	again  time.Duration
	longer bool // if it comes again, wait longer
}

// storePeriod is how often a job looks whether the store is back.
const storePeriod = 500 * time.Millisecond

func forStore(err error) string { return "for the store: " + err.Error() }

// work carries a job through to its end, or until ctx ends.
func (j *Jobs) work(ctx context.Context, b *job) {
	for ctx.Err() == nil {
		switch s := b.state(); {
		case s.IsOver():
			return
		case s != Running:
			b.sleep(ctx, 0)
		case j.takeTurn(ctx, b):
			h := j.steps(ctx, b)
			<-j.turns
			b.waits(ctx, h)
		}
	}
}

// takeTurn waits until the job is one of the few that work. Not ok means that it
// was woken instead.
func (j *Jobs) takeTurn(ctx context.Context, b *job) (ok bool) {
	select {
	case j.turns <- struct{}{}:
		return true
	default:
	}
	b.setHold(fmt.Sprintf("for its turn: %d jobs work at once", atOnce))
	defer b.setHold("")
	select {
	case j.turns <- struct{}{}:
		return true
	case <-b.wake:
	case <-ctx.Done():
	}
	return false
}

// steps goes one step after the other until the job has to wait, or does not run
// any more.
func (j *Jobs) steps(ctx context.Context, b *job) hold {
	for ctx.Err() == nil {
		if b.state() != Running {
			return hold{}
		}
		b.waitForRate(ctx)
		h, err := j.step(ctx, b)
		switch {
		case err == nil && h == hold{}:
			b.setHold("")
			b.poll = 0
			j.tellProgress(b)
		case err == nil:
			return h
		case errors.Is(err, errNotRunning), ctx.Err() != nil:
			return hold{}
		default:
			return j.troubled(b, err)
		}
	}
	return hold{}
}

// step is one step of any job.
func (j *Jobs) step(ctx context.Context, b *job) (hold, error) {
	j.noteClock(b)
	if err := j.Store.Err(); err != nil {
		return hold{why: forStore(err), again: storePeriod}, nil
	}
	r := b.record()
	if r.Act == Purge {
		return hold{}, j.stepPending(ctx, b, &r)
	}
	return j.stepLetters(ctx, b, &r)
}

// troubled is what a job does about an error of the store: it waits and tries
// again.
func (j *Jobs) troubled(b *job, err error) hold {
	if errors.Is(err, store.ErrBadCursor) { // written by another version: letters that were acted upon are gone from there
		b.mu.Lock()
		b.rec.Cursor = ""
		b.mu.Unlock()
		return hold{}
	}
	h := hold{why: forStore(err), again: storePeriod}
	if !errors.Is(err, store.ErrClosed) && !b.holdsFor(h.why) {
		j.log.Warn("job waiting for the store", keyJob, b.id.String(), keyError, err)
	}
	return h
}

// waits is what a job does while it holds.
func (b *job) waits(ctx context.Context, h hold) {
	b.setHold(h.why)
	if h.again == 0 {
		return
	}
	if h.longer {
		b.poll = min(max(2*b.poll, h.again), mostPoll)
		h.again = b.poll
	}
	b.sleep(ctx, h.again)
}

func (b *job) setHold(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hold = why
}

func (b *job) holdsFor(why string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hold == why
}

// sleep returns when it is time, when the job was steered, or when ctx ends. With
// 0 it is never time.
func (b *job) sleep(ctx context.Context, d time.Duration) {
	var late <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		late = t.C
	}
	select {
	case <-late:
	case <-b.wake:
	case <-ctx.Done():
	}
}

// Of the rate. A step is a tenth of a second's worth, so that a rate is even
// without a commit for each letter, and after a wait nothing is made up for but
// one step. The times are monotonic.
const stepsPerSecond = 10

// waitForRate waits until the rate allows the next step, or the job does not run any more.
func (b *job) waitForRate(ctx context.Context) {
	for ctx.Err() == nil && b.state() == Running {
		d := time.Until(b.next)
		if d <= 0 {
			return
		}
		b.sleep(ctx, d)
	}
}

// spend takes n off what the rate allows.
func (b *job) spend(n, rate int) {
	if rate <= 0 {
		return
	}
	from := time.Now().Add(-time.Second / stepsPerSecond)
	if b.next.After(from) {
		from = b.next
	}
	b.next = from.Add(time.Duration(n) * time.Second / time.Duration(rate))
}

// freeStep is the size of a step without a rate: so bounded that others who write
// do not notice.
const freeStep = 500

// stepSize is how many a step takes at most. A replay has no use for more letters
// than a lane has room for.
func (j *Jobs) stepSize(r *record) int {
	switch n := max(1, r.Rate/stepsPerSecond); {
	case r.Rate == 0:
		return freeStep
	case r.Act == Replay:
		return min(n, store.MaxActs, j.MaxInflight+1)
	default:
		return min(n, store.MaxActs)
	}
}
