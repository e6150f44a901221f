package worker

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/store"
)

func TestACancelledCallEndsAtOnceAndLeavesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, _ int, c called) invoke.Result {
			if c.target == "slow" {
				return takes(ctx, time.Hour, status(500))
			}
			return takes(ctx, time.Second, status(200))
		})
		s := defaults(t)
		s.caller, s.inflight = f, 1
		r := start(t, s)
		synctest.Wait() // what is there before the start goes by its name
		for range 3 {   // the slot's next call is not affected, nor is the next that is cancelled
			id := r.accept(calling("slow", "http://cb.example/done"))
			next := r.accept(to("next"))
			pass(time.Minute)
			switch ids := r.worker.InFlight(); {
			case !r.worker.Running(id):
				t.Fatalf("it is not the one that runs: %v: r.worker.Running(id) = false, want true", ids)
			case r.worker.Running(next):
				t.Fatalf("it is not the one that runs: %v: r.worker.Running(next) = true, want false", ids)
			case len(ids) != 1:
				t.Fatalf("it is not the one that runs: %v, want len 1", ids)
			case ids[0] != id:
				t.Fatalf("it is not the one that runs: %v: ids[0] = %v, want %v", ids, ids[0], id)
			}
			if got := time.Since(r.worker.RunningSince(id)); got != time.Minute {
				t.Errorf("got a call that runs for %v, want %v", got, time.Minute)
			}
			switch {
			case r.worker.Cancel(next):
				t.Error("what is not running was cancelled: r.worker.Cancel(next) = true, want false")
			case r.worker.Cancel(invocation.ID{1}):
				t.Error("what is not running was cancelled: r.worker.Cancel(invocation.ID{1}) = true, want false")
			}
			if !r.worker.Cancel(id) {
				t.Error("what is running was not cancelled: r.worker.Cancel(id) = false, want true")
			}
			synctest.Wait()
			switch {
			case r.worker.Cancel(id):
				t.Error("it is running still: r.worker.Cancel(id) = true, want false")
			case r.worker.Running(id):
				t.Error("it is running still: r.worker.Running(id) = true, want false")
			case slices.Contains(r.worker.InFlight(), id):
				t.Error("it is running still: slices.Contains(r.worker.InFlight(), id) = true, want false")
			}
			if _, err := r.store.Get(t.Context(), id); err == nil {
				t.Errorf("it is in the store still: err = %v, want an error", err)
			}
			pass(time.Minute)
		}
		calls, next := f.of("slow"), f.of("next")
		switch {
		case len(calls) != 3:
			t.Errorf("%d slow calls, want 3", len(calls))
		case len(next) != 3:
			t.Errorf("%d others, want 3", len(next))
		case next[2].canceled:
			t.Errorf("%d slow calls, %d others, %d callbacks: next[2].canceled = true, want false", len(calls), len(next), len(f.of("http://cb.example/done")))
		case len(f.of("http://cb.example/done")) != 0:
			t.Errorf("%d callbacks, want 0", len(f.of("http://cb.example/done")))
		}
		for _, c := range calls {
			switch {
			case !c.canceled:
				t.Errorf("a call has ended after %s: c.canceled = false, want true", c.end.Sub(c.begun))
			case c.end.Sub(c.begun) != time.Minute:
				t.Errorf("a call has ended after %s, want %v", c.end.Sub(c.begun), time.Minute)
			}
		}
		switch st := r.store.Stats(); {
		case st.Dropped != 3:
			t.Errorf("the store counts %+v, want Dropped 3", st)
		case st.Dead+st.Ready+st.Delayed != 0:
			t.Errorf("the store counts %+v: st.Dead+st.Ready+st.Delayed = %d, want 0", st, st.Dead+st.Ready+st.Delayed)
		}
		if n := r.metric("outcomes_total", "slow.openfaas-fn", "cancelled"); n != 3 {
			t.Errorf("%v counted, want 3", n)
		}
		if r.holds.count() != 0 {
			t.Error("its end was not reported, want count 0")
		}
		lines := 0
		for _, l := range r.log.lines(t, "invoked") {
			if l["next"] == "cancelled" {
				lines++
			}
		}
		if lines != 3 {
			t.Errorf("%d lines, want 3\n%s", lines, r.log)
		}
	})
}

// What Cancel has promised holds, though the call ends at the same moment.
func TestACancelledCallThatSucceedsAllTheSameIsCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, n int, _ called) invoke.Result {
			<-ctx.Done()
			return invoke.Result{Status: 200, Header: http.Header{}}
		})
		s := defaults(t)
		s.caller = f
		r := start(t, s)
		id := r.accept(calling("fn", "http://cb.example/done"))
		pass(time.Second)
		if !r.worker.Cancel(id) {
			t.Fatal("not cancelled: r.worker.Cancel(id) = false, want true")
		}
		pass(time.Minute)
		switch st := r.store.Stats(); {
		case st.Dropped != 1:
			t.Errorf("the store counts %+v, want dropped 1", st)
		case st.Done != 0:
			t.Errorf("the store counts %+v, want done 0", st)
		case len(f.of("http://cb.example/done")) != 0:
			t.Errorf("the store counts %+v, want 0", st)
		}
	})
}

func TestACallThatHasEndedCannotBeCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var r *rig
		settling := make(chan bool, 1)
		s := defaults(t)
		s.caller = newFake(statuses(500))
		s.wrap = func(inner Store) Store {
			return &watched{inner, func(id invocation.ID) { settling <- !r.worker.Cancel(id) && r.worker.Running(id) }}
		}
		r = build(t, s)
		r.run()
		r.accept(to("fn"))
		pass(time.Second)
		if ok := <-settling; !ok {
			t.Error("it was cancelled while it was settled: ok = false, want true")
		}
		if st := r.store.Stats(); st.Delayed != 1 {
			t.Errorf("the store counts %+v, want Delayed 1", st)
		}
	})
}

func TestAnAbortIsNoCancelling(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := defaults(t)
		s.caller = newFake(func(ctx context.Context, _ int, _ called) invoke.Result { return takes(ctx, time.Hour, status(200)) })
		r := start(t, s)
		cancelled, aborted := r.accept(to("fn")), r.accept(to("fn"))
		pass(time.Second)
		if !r.worker.Cancel(cancelled) {
			t.Error("not cancelled: r.worker.Cancel(cancelled) = false, want true")
		}
		r.abort()
		<-r.ended
		if _, err := r.store.Get(t.Context(), cancelled); err == nil {
			t.Errorf("what was cancelled is there still: err = %v, want an error", err)
		}
		switch inv, err := r.store.Get(t.Context(), aborted); {
		case err != nil:
			t.Errorf("what was aborted is gone: %v, want nil", err)
		case inv.State != invocation.Pending:
			t.Errorf("what was aborted is gone: %v: inv.State = %d, want Pending", err, inv.State)
		}
	})
}

// watched is a store that reports a settlement before it is made.
type watched struct {
	Store
	before func(invocation.ID)
}

func (s *watched) Settle(ctx context.Context, st store.Settlement) error {
	s.before(st.Inv.ID)
	return s.Store.Settle(ctx, st)
}
