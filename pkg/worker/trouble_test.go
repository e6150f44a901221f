package worker

// What the worker does when the store, a message or its own code misbehaves.

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/store"
)

var errDisk = errors.New("disk full")

// trouble is a store that can be made to fail.
type trouble struct {
	Store
	err, read, due, load atomic.Bool
	settle               atomic.Pointer[error]
	moves                atomic.Int64
}

func (s *trouble) Err() error {
	if s.err.Load() {
		return errDisk
	}
	return s.Store.Err()
}

func (s *trouble) Take(ctx context.Context, l invocation.Lane, from store.Ready, limit int) ([]store.Ready, error) {
	if s.read.Load() {
		return nil, errDisk
	}
	return s.Store.Take(context.Background(), l, from, limit)
}

func (s *trouble) MoveDue(ctx context.Context) (bool, error) {
	s.moves.Add(1)
	if s.due.Load() {
		return false, errDisk
	}
	return s.Store.MoveDue(ctx)
}

func (s *trouble) LoadReady(ctx context.Context, r store.Ready) (store.Loaded, error) {
	if s.load.Load() {
		return store.Loaded{}, errDisk
	}
	return s.Store.LoadReady(context.Background(), r)
}

func (s *trouble) Settle(ctx context.Context, st store.Settlement) error {
	if err := s.settle.Load(); err != nil {
		return *err
	}
	return s.Store.Settle(ctx, st)
}

// troubled is a setup whose store can be made to fail.
func troubled(t *testing.T, f *fake) (setup, *trouble) {
	t.Helper()
	tr := &trouble{}
	s := defaults(t)
	s.caller, s.wrap = f, func(st Store) Store { tr.Store = st; return tr }
	return s, tr
}

func TestNoCallBeginsWhileOutcomesCannotBeStored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(200))
		s, tr := troubled(t, f)
		tr.err.Store(true)
		r := start(t, s)
		for range 10 {
			r.accept(to("a"))
			r.accept(to("b"))
		}
		pass(time.Hour)
		if len(f.calls) != 0 {
			t.Fatalf("%d calls, want 0", len(f.calls))
		}
		tr.err.Store(false)
		pass(2 * longestSleep)
		if len(f.calls) != 20 {
			t.Errorf("%d calls after the store has come back, want 20", len(f.calls))
		}
	})
}

func TestACallUnderWayEndsWhileTheStoreIsInTrouble(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, _ int, _ called) invoke.Result { return takes(ctx, time.Minute, status(200)) })
		s, tr := troubled(t, f)
		s.inflight = 1
		r := start(t, s)
		r.accept(to("a"))
		r.accept(to("b"))
		pass(time.Second)
		tr.err.Store(true)
		pass(time.Hour)
		switch st := r.store.Stats(); {
		case st.Done != 1:
			t.Errorf("%+v after %d calls, want Done 1", st, len(f.calls))
		case len(f.calls) != 1:
			t.Errorf("%+v after %d calls: len(f.calls) = %d, want 1", st, len(f.calls), len(f.calls))
		}
	})
}

func TestALaneThatCannotBeReadIsReadAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(200))
		s, tr := troubled(t, f)
		r := build(t, s)
		for range 10 {
			r.accept(to("fn"))
		}
		tr.read.Store(true)
		r.run()
		pass(time.Minute)
		if len(f.calls) != 0 {
			t.Fatalf("%d calls, want 0", len(f.calls))
		}
		tr.read.Store(false)
		pass(2 * longestSleep)
		if len(f.calls) != 10 {
			t.Errorf("%d calls, want 10", len(f.calls))
		}
	})
}

func TestTheTimerContinuesAfterAnError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(500, 200))
		s, tr := troubled(t, f)
		r := start(t, s)
		r.accept(to("fn"))
		pass(time.Second)
		tr.due.Store(true)
		before := tr.moves.Load()
		pass(time.Minute)
		switch n := tr.moves.Load() - before; {
		case n < 10:
			t.Errorf("%d tries in a minute, want at least 10", n)
		case n > int64(time.Minute/afterError)+10:
			t.Errorf("%d tries in a minute, want at most %d", n, int64(time.Minute/afterError)+10)
		}
		tr.due.Store(false)
		pass(2 * longestSleep)
		if len(f.calls) != 2 {
			t.Errorf("%d calls, want 2", len(f.calls))
		}
	})
}

func TestAnEndDoesNotWaitForATimerInTrouble(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(500))
		s, tr := troubled(t, f)
		tr.due.Store(true)
		r := start(t, s)
		r.accept(to("fn"))
		pass(time.Minute)
		begun := time.Now()
		r.drain()
		if d := time.Since(begun); d != 0 {
			t.Errorf("the drain took %s, want 0", d)
		}
	})
}

func TestWhatCannotBeSettledIsNotCalledAgainBeforeARestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(200))
		s, tr := troubled(t, f)
		s.dir, s.fs = "data", newDisk()
		tr.settle.Store(&errDisk)
		r := start(t, s)
		r.accept(to("fn"))
		pass(time.Minute)
		tr.settle.Store(nil)
		r.accept(to("fn"))
		pass(time.Hour)
		switch {
		case len(f.calls) != 2:
			t.Errorf("%d calls, want 2", len(f.calls))
		case r.store.Stats().Done != 1:
			t.Errorf("%d calls, %+v, want Done 1", len(f.calls), r.store.Stats())
		}
		switch lines := r.log.lines(t, "outcome not persisted, call will be repeated after restart"); {
		case len(lines) != 1:
			t.Errorf("logged %v, want len 1", lines)
		case lines[0]["error"] != "disk full":
			t.Errorf("logged %v: lines[0][\"error\"] = %v, want \"disk full\"", lines, lines[0]["error"])
		}
		switch {
		case r.holds.count() != 1:
			t.Error("an outcome was reported that is not stored, want count 1")
		case len(r.log.lines(t, "invoked")) != 1:
			t.Error("an outcome was reported that is not stored, want 1")
		case r.metric("unsettled_total") != 1:
			t.Error(`an outcome was reported that is not stored, want r.metric("unsettled_total") 1`)
		case r.metric("attempts_total", "2xx") != 1:
			t.Error(`an outcome was reported that is not stored, want r.metric("attempts_total", "2xx") 1`)
		}
		r.close()
		r = start(t, s)
		pass(time.Minute)
		switch {
		case len(f.calls) != 3:
			t.Errorf("after the restart %d calls, want 3", len(f.calls))
		case r.store.Stats().Done != 1:
			t.Errorf("after the restart %d calls, %+v, want Done 1", len(f.calls), r.store.Stats())
		}
	})
}

func TestAnEntryThatCannotBeLoadedDelaysNoOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(200))
		s, tr := troubled(t, f)
		s.inflight = 1
		r := start(t, s)
		tr.load.Store(true)
		r.accept(to("fn"))
		pass(time.Minute)
		tr.load.Store(false)
		r.accept(to("fn"))
		pass(time.Minute)
		switch st := r.store.Stats(); {
		case st.Done != 1:
			t.Errorf("%+v, want Done 1", st)
		case st.Ready != 1:
			t.Errorf("%+v, want Ready 1", st)
		}
		switch lines := r.log.lines(t, "cannot load invocation, skipped until restart"); {
		case len(lines) != 1:
			t.Errorf("logged %v, want len 1", lines)
		case lines[0]["error"] != "disk full":
			t.Errorf("logged %v: lines[0][\"error\"] = %v, want \"disk full\"", lines, lines[0]["error"])
		}
	})
}

func TestWhatIsGoneWhenItsTurnComesIsNotCalled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(200))
		s, _ := troubled(t, f)
		r := start(t, s)
		pass(time.Second)
		gone := store.Ready{Lane: invocation.Lane{Queue: queue, Name: "fn"}, Since: time.Now(), ID: invocation.NewID(time.Now())}
		r.lanes.Ready([]store.Ready{gone})
		pass(time.Second)
		if got := len(f.calls); got != 0 {
			t.Errorf("%d calls, want 0", got)
		}
		if got := len(r.lanes.lanes); got != 0 {
			t.Errorf("%d lanes are left, want 0", got)
		}
	})
}

func TestWhatWaitsElsewhereByNowIsNotCalledEarly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(500))
		s, _ := troubled(t, f)
		r := start(t, s)
		accepted := time.Now()
		id := r.accept(to("fn"))
		pass(time.Second)
		// The lanes get the place that it has left, as if by a stale read.
		r.lanes.Ready([]store.Ready{{Lane: invocation.Lane{Queue: queue, Name: "fn"}, Since: accepted, ID: id}})
		pass(time.Second)
		switch {
		case len(f.calls) != 1:
			t.Errorf("%d calls, want 1", len(f.calls))
		case r.holds.count() != 1:
			t.Errorf("%d unacked, want 1", r.holds.count())
		}
	})
}

func TestAPanicCostsOneInvocation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(_ context.Context, n int, c called) invoke.Result {
			switch c.target {
			case "text":
				panic("CANARY of the body")
			case "bug":
				var none *called
				none.target = strconv.Itoa(n)
			}
			return status(200)
		})
		s := defaults(t)
		s.caller, s.inflight = f, 1
		r := start(t, s)
		text, bug := r.accept(to("text")), r.accept(to("bug"))
		r.accept(to("fine"))
		pass(time.Minute)
		for _, id := range []invocation.ID{text, bug} {
			switch inv := r.letter(id); {
			case inv.Reason != invocation.Malformed:
				t.Errorf("%+v, want Reason %q", inv, invocation.Malformed)
			case !strings.Contains(inv.Detail, "panic"):
				t.Errorf("%+v, want Detail \"panic\" in it", inv)
			}
		}
		switch {
		case len(f.of("fine")) != 1:
			t.Errorf("%d calls, want 1", len(f.calls))
		case len(f.calls) != 3:
			t.Errorf("%d calls, want 3 calls", len(f.calls))
		}
		lines := r.log.lines(t, "panic")
		said := map[any]any{} // by function: which of the two is called first is not promised
		for _, line := range lines {
			said[line["function"]] = line["panic"]
		}
		switch {
		case len(lines) != 2:
			t.Errorf("logged %v, want len 2", lines)
		case said["text"] != "string":
			t.Errorf("logged %v: said[\"text\"] = %v, want \"string\"", lines, said["text"])
		case said["bug"] != "runtime error: invalid memory address or nil pointer dereference":
			t.Errorf("logged %v: said[\"bug\"] = %v, want %q", lines, said["bug"], "runtime error: invalid memory address or nil pointer dereference")
		case lines[0]["stack"] == "":
			t.Errorf("logged %v: lines[0][\"stack\"] = %v, want not \"\"", lines, lines[0]["stack"])
		}
		if strings.Contains(r.log.String(), "CANARY") {
			t.Errorf("the log repeats what a panic says: r.log.String() = %q, want no \"CANARY\" in it", r.log.String())
		}
	})
}

func TestAPanicOverACallbackCostsOnlyTheCallback(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := answers(always(200), always(200))
		s := defaults(t)
		s.caller, s.check = f, nil // a nil function panics
		r := start(t, s)
		r.accept(calling("fn", hook))
		pass(time.Minute)
		switch st := r.store.Stats(); {
		case st.Done != 1:
			t.Errorf("%+v, want done 1", st)
		case len(f.of(hook)) != 0:
			t.Errorf("%+v, want 0", st)
		case r.holds.count() != 0:
			t.Errorf("%+v, want count 0", st)
		}
	})
}

func TestBytesThatAreNoQueueRequestAreMalformed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(200))
		s := defaults(t)
		s.caller = f
		r := start(t, s)
		id := r.acceptRaw("", "", []byte(`{"Header":{"CANARY":5}}`))
		pass(time.Minute)
		switch inv := r.letter(id); {
		case inv.Reason != invocation.Malformed:
			t.Errorf("%+v, want reason %v", inv, invocation.Malformed)
		case inv.Calls() != 0:
			t.Errorf("%+v, want calls 0", inv)
		case strings.Contains(inv.Detail, "CANARY"):
			t.Errorf(`%+v, want no "CANARY" in Detail`, inv)
		}
		if len(f.calls) != 0 {
			t.Errorf("it was called: len(f.calls) = %d, want 0", len(f.calls))
		}
	})
}
