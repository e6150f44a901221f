package worker

// The ways to stop, and what comes after.

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/invoke"
	"queue-worker/pkg/store"
)

func TestACallOfAnyLengthRunsOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, _ int, _ called) invoke.Result {
			return takes(ctx, 25*time.Hour, status(200))
		})
		s := defaults(t)
		s.caller = f
		r := start(t, s)
		r.accept(to("fn"))
		pass(26 * time.Hour)
		switch calls := f.of("fn"); {
		case len(calls) != 1:
			t.Errorf("%+v, want len 1", calls)
		case calls[0].canceled:
			t.Errorf("%+v: calls[0].canceled = true, want false", calls)
		}
		if st := r.store.Stats(); st.Done != 1 {
			t.Errorf("%+v, want Done 1", st)
		}
	})
}

func TestADrainLetsCallsEndAndBeginsNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, _ int, _ called) invoke.Result {
			return takes(ctx, 20*time.Second, status(200))
		})
		s := defaults(t)
		s.caller, s.inflight = f, 2
		r := start(t, s)
		for range 5 {
			r.accept(to("fn"))
		}
		pass(time.Second)
		r.worker.Drain()
		r.accept(to("late"))
		r.worker.Drain() // twice is once
		<-r.ended
		st := r.store.Stats()
		switch {
		case st.Done != 2:
			t.Errorf("%+v after %d calls, want Done 2", st, len(f.calls))
		case st.Ready != 4:
			t.Errorf("%+v after %d calls, want Ready 4", st, len(f.calls))
		case len(f.calls) != 2:
			t.Errorf("%+v after %d calls: len(f.calls) = %d, want 2", st, len(f.calls), len(f.calls))
		}
	})
}

func TestADrainBeforeTheStartCallsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := defaults(t)
		f := newFake(statuses(200))
		s.caller = f
		r := build(t, s)
		r.accept(to("fn"))
		r.worker.Drain()
		r.run()
		<-r.ended
		if len(f.calls) != 0 {
			t.Errorf("%d calls, want 0", len(f.calls))
		}
	})
}

func TestAnAbortLeavesEverythingAsItWas(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, n int, _ called) invoke.Result {
			switch n {
			case 0:
				return status(500)
			case 1:
				return takes(ctx, time.Hour, status(200))
			}
			return status(200)
		})
		s := defaults(t)
		s.caller, s.dir, s.fs = f, "data", newDisk()
		r := start(t, s)
		id := r.accept(to("fn"))
		pass(time.Minute)
		r.close()
		switch n := len(r.log.lines(t, "aborted")); {
		case n != 1:
			t.Errorf("reported %d times, want 1", n)
		case r.holds.count() != 1:
			t.Errorf("%d unacked, want 1", r.holds.count())
		}

		r = build(t, s)
		if rec := r.store.Recovered(); rec.InFlight != 0 {
			t.Errorf("%d in-flight markers are left of a call that was aborted, want 0", rec.InFlight)
		}
		inv, err := r.store.Get(t.Context(), id)
		switch {
		case err != nil:
			t.Errorf("%+v, %v: the aborted attempt must not count, want no error", inv, err)
		case inv.Calls() != 1:
			t.Errorf("%+v, %v: the aborted attempt must not count, want calls 1", inv, err)
		case inv.Retries != 1:
			t.Errorf("%+v, %v: the aborted attempt must not count, want retries 1", inv, err)
		case inv.Crashes != 0:
			t.Errorf("%+v, %v: the aborted attempt must not count, want crashes 0", inv, err)
		}
		r.run()
		pass(time.Second)
		calls := f.of("fn")
		switch {
		case len(calls) != 3:
			t.Errorf("%+v, want len 3", calls)
		case calls[1].Retry != 1:
			t.Errorf("%+v, want [1].Retry 1", calls)
		case calls[2].Retry != 1:
			t.Errorf("%+v, want [2].Retry 1", calls)
		case !calls[1].canceled:
			t.Errorf("%+v: calls[1].canceled = false, want true", calls)
		}
		if st := r.store.Stats(); st.Done != 1 {
			t.Errorf("%+v, want Done 1", st)
		}
	})
}

func TestAnAbortBeginsNothingMore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, _ int, _ called) invoke.Result {
			return takes(ctx, time.Hour, status(200))
		})
		s := defaults(t)
		s.caller = f
		r := start(t, s)
		for range 500 {
			r.accept(to("fn"))
		}
		pass(time.Second)
		r.close()
		if len(f.calls) != s.inflight {
			t.Errorf("%d calls, want only those that were in flight", len(f.calls))
		}
	})
}

func TestARunWhoseContextHasEndedCallsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(200))
		s := defaults(t)
		s.caller = f
		r := build(t, s)
		for range 50 {
			r.accept(to("fn"))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r.worker.Run(ctx)
		switch {
		case len(f.calls) != 0:
			t.Errorf("%d calls, want 0 calls", len(f.calls))
		case len(r.lanes.InFlight()) != 0:
			t.Errorf("%d calls, want 0 InFlight", len(f.calls))
		}
		r.abort = func() {}
		close(r.ended)
		r.close()
	})
}

// stuckSettle is a store on a disk that takes no more, until it is let go.
type stuckSettle struct{ Store }

func (stuckSettle) Settle(ctx context.Context, _ store.Settlement) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAnAbortEndsAlthoughTheDiskTakesNoMore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(200))
		s := defaults(t)
		s.caller, s.wrap = f, func(s Store) Store { return stuckSettle{s} }
		r := start(t, s)
		r.accept(to("fn"))
		pass(time.Hour)
		select {
		case <-r.ended:
			t.Fatal("Run has ended")
		default:
		}
		r.abort()
		pass(settleGrace - time.Millisecond)
		select {
		case <-r.ended:
			t.Fatal("an outcome had no time to be stored")
		default:
		}
		pass(time.Millisecond)
		select {
		case <-r.ended:
		default:
			t.Fatal("Run continues")
		}
		switch n := len(r.log.lines(t, "outcome not persisted, call will be repeated after restart")); {
		case n != 1:
			t.Errorf("reported %d times, want 1", n)
		case r.metric("unsettled_total") != 1:
			t.Errorf(`reported %d times, want r.metric("unsettled_total") 1`, n)
		}
		if r.holds.count() != 1 {
			t.Error("its end was reported, want count 1")
		}
	})
}

func TestAnOutcomeThatIsKnownAtTheAbortIsStored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := &slowSettle{}
		s := defaults(t)
		s.caller = newFake(statuses(200))
		s.wrap = func(st Store) Store { slow.Store = st; return slow }
		r := start(t, s)
		r.accept(to("fn"))
		synctest.Wait()
		r.abort()
		<-r.ended
		switch st := r.store.Stats(); {
		case st.Done != 1:
			t.Errorf("%+v, want done 1", st)
		case r.holds.count() != 0:
			t.Errorf("%+v, want count 0", st)
		}
	})
}

// slowSettle is a store on a slow disk.
type slowSettle struct{ Store }

func (s *slowSettle) Settle(ctx context.Context, st store.Settlement) error {
	select {
	case <-time.After(settleGrace / 2):
		return s.Store.Settle(ctx, st)
	case <-ctx.Done():
		return errors.New("too late")
	}
}
