// File canary.go has the canary: a few dead letters first, and a watch on those that were
// replayed.

package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// stages are how many letters a canary replays before it waits for what becomes
// of them. After the last it replays the rest.
var stages = [...]int{1, 10}

// Bounds of watching.
const (
	mostWatched = 100             // letters at a time; those that are replayed meanwhile are not watched
	mostKnown   = 100             // latest outcomes that count
	leastKnown  = 10              // outcomes before the rest is judged
	watchPeriod = 1 * time.Second // between two looks
)

// Outcomes as they stand in way.Outcomes.
const (
	good = "+"
	bad  = "-"
)

// quota is how many letters the stage still takes.
func (r *record) quota() int {
	if !r.Canary || r.Stage >= len(stages) {
		return math.MaxInt
	}
	return stages[r.Stage] - r.InStage
}

// watch notes a letter that was replayed.
func (r *record) watch(id invocation.ID) {
	r.InStage++
	if len(r.Watch) < mostWatched {
		r.Watch = append(r.Watch, id)
	}
}

// pardon resumes a job that was stopped, with the next stage if this one is
// complete.
func (r *record) pardon() {
	r.Watch, r.Outcomes = nil, ""
	r.nextStage()
}

func (r *record) nextStage() {
	if r.quota() <= 0 {
		r.Stage, r.InStage = r.Stage+1, 0
	}
}

// guard looks after those that were replayed. It holds the job while a stage is
// not decided, and stops it when too many failed again, with errNotRunning then.
func (j *Jobs) guard(ctx context.Context, b *job, r *record) (hold, error) {
	j.look(ctx, b, r)
	complete := r.quota() <= 0
	known, failed := len(r.Outcomes), strings.Count(r.Outcomes, bad)
	switch {
	case complete && len(r.Watch) > 0:
		return hold{why: fmt.Sprintf("for the outcome of %d that were replayed", len(r.Watch)), again: watchPeriod}, nil
	case (complete || known >= leastKnown) && float64(failed) > *r.MaxFailedShare*float64(known):
		why := fmt.Sprintf("%d of the latest %d failed again, max_failed_share is %v", failed, known, *r.MaxFailedShare)
		return hold{}, cmp.Or(j.finish(ctx, b, Stopped, why), errNotRunning)
	case complete:
		r.nextStage()
		j.keepWay(b, r)
	}
	return hold{}, nil
}

// look asks the store what became of those that are watched. Dead again is bad, what has left the
// store is what its counts say, and anything else is not decided.
func (j *Jobs) look(ctx context.Context, b *job, r *record) {
	if len(r.Watch) == 0 || time.Since(b.polled) < watchPeriod {
		return
	}
	b.polled = time.Now()
	var left []invocation.ID
	for _, id := range r.Watch {
		inv, err := j.Store.Get(ctx, id)
		var t store.Tally
		gone := errors.Is(err, store.ErrNotFound)
		if gone {
			t, _, err = j.Store.Tally(ctx, r.ID)
		}
		switch {
		case gone && err == nil:
			r.left(t)
		case err == nil && inv.State == invocation.Dead:
			r.Outcomes += bad
			r.Failed++
		default:
			left = append(left, id)
		}
	}
	r.Watch = left
	r.Outcomes = r.Outcomes[max(0, len(r.Outcomes)-mostKnown):]
	j.keepWay(b, r)
}

// left takes account of a letter that has left the store: discarded, which is bad; cancelled, which
// says nothing, so that another one takes its place in the stage; or done. The counts of the job say
// how many are which, without their ids.
func (r *record) left(t store.Tally) {
	switch {
	case t.Dropped > r.Discarded:
		r.Discarded++
		r.Failed++
		r.Outcomes += bad
	case t.Cancelled > r.Cancelled:
		r.Cancelled++
		r.InStage = max(r.InStage-1, 0)
	default:
		r.Outcomes += good
	}
}

// keepWay takes over what the job's goroutine has found out. It is stored with the
// next step.
func (j *Jobs) keepWay(b *job, r *record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	own := r.fork()
	b.rec.Progress, b.rec.way = own.Progress, own.way
}
