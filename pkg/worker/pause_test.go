package worker

import (
	"context"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
)

func TestAPausedFunctionBeginsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, n int, c called) invoke.Result {
			if c.target == "fn" && n == 0 {
				return takes(ctx, 5*time.Second, status(500))
			}
			return status(200)
		})
		s := defaults(t)
		s.caller, s.inflight = f, 1
		r := start(t, s)
		r.accept(to("fn"))
		pass(time.Second)
		r.lanes.Pause("fn")
		for range 3 {
			r.accept(to("fn"))
		}
		other := r.accept(to("other"))
		pass(time.Hour)

		// The call that was in flight has ended, its retry is due and waits.
		if n := len(f.of("fn")); n != 1 {
			t.Fatalf("%d calls of a paused function, want 1", n)
		}
		switch calls := f.of("other"); {
		case len(calls) != 1:
			t.Errorf("the other function was called %+v, want 1 call", calls)
		case calls[0].ID != other:
			t.Errorf("the other function was called %+v, want ID %v", calls, other)
		case calls[0].begun.Sub(f.of("fn")[0].end) != 0:
			t.Errorf(`the other function was called %+v, want calls[0].begun.Sub(f.of("fn")[0].end) 0`, calls)
		}
		if st := r.store.Stats(); st.Ready != 4 {
			t.Errorf("%d wait, want 4", st.Ready)
		}
		switch {
		case !r.lanes.Paused("fn"):
			t.Error("the wrong function is paused: r.lanes.Paused(\"fn\") = false, want true")
		case r.lanes.Paused("other"):
			t.Error("the wrong function is paused: r.lanes.Paused(\"other\") = true, want false")
		}
		resumed := time.Now()
		r.lanes.Resume("fn")
		r.lanes.Resume("fn") // again changes nothing
		pass(time.Second)
		calls := f.of("fn")
		switch {
		case len(calls) != 5:
			t.Errorf("%d calls after the pause, want 5", len(calls))
		case !calls[1].begun.Equal(resumed):
			t.Errorf("%d calls after the pause: calls[1].begun = %v, want %v", len(calls), calls[1].begun, resumed)
		}
	})
}

func TestAPauseOutlivesTheLaneAndHoldsInEveryQueue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(200))
		s := defaults(t)
		s.caller = f
		r := build(t, s)
		r.lanes.Pause("fn")
		r.lanes.Pause("url:cb.example:80")
		r.run()
		r.accept(to("fn"))
		r.acceptAs(to("fn"), func(inv *invocation.Invocation) { inv.Lane.Queue = "another" })
		r.accept(calling("other", "http://cb.example/"))
		pass(time.Minute)
		if n := len(f.of("fn")) + len(f.of("http://cb.example/")); n != 0 {
			t.Errorf("%d calls of what is paused, want 0", n)
		}
		r.lanes.Resume("url:cb.example:80")
		pass(time.Minute)
		if n := len(f.of("http://cb.example/")); n != 1 {
			t.Errorf("%d callbacks after the pause, want 1", n)
		}
		r.lanes.Resume("fn")
		pass(0)
		r.lanes.Pause("fn") // the lane is gone, and comes again
		r.accept(to("fn"))
		pass(time.Minute)
		if n := len(f.of("fn")); n != 2 {
			t.Errorf("%d calls, want the two before the second pause", n)
		}
		r.lanes.Resume("fn")
		pass(0)
		if n := len(f.of("fn")); n != 3 {
			t.Errorf("%d calls in the end, want 3", n)
		}
	})
}
