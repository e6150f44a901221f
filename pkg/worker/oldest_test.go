package worker

// How long the oldest has waited, as Prometheus sees it.

import (
	"context"
	"testing"
	"time"

	"queue-worker/pkg/invoke"
)

func TestTheOldestThatWaitsIsReported(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, n int, c called) invoke.Result {
			if c.target == "slow" {
				select {
				case <-time.After(time.Hour):
				case <-ctx.Done():
				}
			}
			return status(200)
		})
		s := defaults(t)
		s.caller, s.inflight = f, 1
		r := start(t, s)
		oldest := func() time.Duration { return time.Duration(r.metric("oldest_ready_seconds") * float64(time.Second)) }
		r.accept(to("slow"))
		pass(time.Minute)
		if got := oldest(); got != 0 {
			t.Errorf("%s while one is called and none waits: an entry in flight does not wait, want 0", got)
		}
		for range 2 * mostWindow { // more than a lane holds in memory
			r.accept(to("fast"))
		}
		pass(10 * time.Minute)
		r.accept(to("slow"))
		pass(10 * time.Minute)
		if got := oldest(); got != 20*time.Minute+10*time.Minute {
			t.Errorf("%s, want 20m of fast and 10m of slow", got)
		}
		pass(3 * time.Hour)
		if got := oldest(); got != 0 {
			t.Errorf("%s when all is done, want 0", got)
		}
	})
}

func TestWhatAPausedFunctionHasGrowsOlder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := defaults(t)
		s.caller = newFake(statuses(200))
		r := start(t, s)
		r.lanes.Pause("fn")
		r.accept(to("fn"))
		pass(time.Hour)
		if got := r.metric("oldest_ready_seconds"); got != 3600 {
			t.Errorf("%v s after an hour of rest, want 3600", got)
		}
		r.lanes.Resume("fn")
		pass(time.Second)
		if got := r.metric("oldest_ready_seconds"); got != 0 {
			t.Errorf("%v s when all is done, want 0", got)
		}
	})
}

func TestTheOldestIsTheStoresWhereNothingIsReadYet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := defaults(t)
		s.caller = newFake(statuses(200))
		r := build(t, s)
		r.accept(to("fn"))
		pass(time.Minute)
		if got := r.metric("oldest_ready_seconds"); got != 60 {
			t.Errorf("%v s before the first call, want 60", got)
		}
		r.run()
		pass(time.Second)
		if got := r.metric("oldest_ready_seconds"); got != 0 {
			t.Errorf("%v s when all is done, want 0", got)
		}
	})
}
