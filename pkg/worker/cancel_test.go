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
			if ids := r.worker.InFlight(); !r.worker.Running(id) || r.worker.Running(next) || len(ids) != 1 || ids[0] != id {
				t.Fatalf("it is not the one that runs: %v", ids)
			}
			if r.worker.Cancel(next) || r.worker.Cancel(invocation.ID{1}) {
				t.Error("what is not running was cancelled")
			}
			if !r.worker.Cancel(id) {
				t.Error("what is running was not cancelled")
			}
			synctest.Wait()
			if r.worker.Cancel(id) || r.worker.Running(id) || slices.Contains(r.worker.InFlight(), id) {
				t.Error("it is running still")
			}
			if _, err := r.store.Get(id); err == nil {
				t.Error("it is in the store still")
			}
			pass(time.Minute)
		}
		calls, next := f.of("slow"), f.of("next")
		if len(calls) != 3 || len(next) != 3 || next[2].canceled || len(f.of("http://cb.example/done")) != 0 {
			t.Errorf("%d slow calls, %d others, %d callbacks", len(calls), len(next), len(f.of("http://cb.example/done")))
		}
		for _, c := range calls {
			if !c.canceled || c.end.Sub(c.begun) != time.Minute {
				t.Errorf("a call has ended after %s", c.end.Sub(c.begun))
			}
		}
		if st := r.store.Stats(); st.Dropped != 3 || st.Dead+st.Ready+st.Delayed != 0 {
			t.Errorf("the store counts %+v", st)
		}
		if n := r.metric("outcomes_total", "slow.openfaas-fn", "cancelled"); n != 3 {
			t.Errorf("%v counted", n)
		}
		if r.holds.count() != 0 {
			t.Error("its end was not reported")
		}
		lines := 0
		for _, l := range r.log.lines(t, "invoked") {
			if l["next"] == "cancelled" {
				lines++
			}
		}
		if lines != 3 {
			t.Errorf("%d lines\n%s", lines, r.log)
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
			t.Fatal("not cancelled")
		}
		pass(time.Minute)
		if st := r.store.Stats(); st.Dropped != 1 || st.Done != 0 || len(f.of("http://cb.example/done")) != 0 {
			t.Errorf("the store counts %+v", st)
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
			t.Error("it was cancelled while it was settled")
		}
		if st := r.store.Stats(); st.Delayed != 1 {
			t.Errorf("the store counts %+v", st)
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
			t.Error("not cancelled")
		}
		r.abort()
		<-r.ended
		if _, err := r.store.Get(cancelled); err == nil {
			t.Error("what was cancelled is there still")
		}
		if inv, err := r.store.Get(aborted); err != nil || inv.State != invocation.Pending {
			t.Errorf("what was aborted is gone: %v", err)
		}
	})
}

// watched is a store that tells of a settlement before it is made.
type watched struct {
	Store
	before func(invocation.ID)
}

func (s *watched) Settle(ctx context.Context, st store.Settlement) error {
	s.before(st.Inv.ID)
	return s.Store.Settle(ctx, st)
}
