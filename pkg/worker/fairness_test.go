package worker

// No function waits for another one.

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/store"
)

func TestAFunctionThatWaitsForItsRetryHoldsNoSlot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(_ context.Context, n int, c called) invoke.Result {
			if c.target == "failing" && n == 0 {
				return status(500)
			}
			return status(200)
		})
		s := defaults(t)
		s.caller, s.inflight = f, 1
		r := start(t, s)
		r.accept(to("failing"))
		pass(time.Second)
		accepted := time.Now()
		r.accept(to("other"))
		pass(time.Minute)
		if c := f.of("other"); len(c) != 1 || !c[0].begun.Equal(accepted) {
			t.Errorf("the other function is called at %+v, want at once, %s", c, accepted)
		}
		if c := f.of("failing"); len(c) != 2 {
			t.Errorf("%d calls of the failing function, want 2", len(c))
		}
	})
}

func TestASlowFunctionLeavesSlotsForOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, _ int, c called) invoke.Result {
			if c.target == "slow" {
				return takes(ctx, time.Hour, status(200))
			}
			return status(200)
		})
		s := defaults(t)
		s.caller, s.inflight = f, 8
		r := start(t, s)
		for range 1000 {
			r.accept(to("slow"))
		}
		pass(time.Minute)
		if n := len(f.of("slow")); n != 7 {
			t.Fatalf("%d calls of the slow function, want all slots but the reserve", n)
		}
		accepted := time.Now()
		r.accept(to("quick"))
		pass(0)
		if c := f.of("quick"); len(c) != 1 || !c[0].begun.Equal(accepted) {
			t.Errorf("the quick function is called at %+v, want at once", c)
		}
	})
}

func TestCallsNeverExceedMaxInflight(t *testing.T) {
	t.Parallel()
	for _, inflight := range []int{1, 2, 7, 8, 50} {
		t.Run(fmt.Sprint(inflight), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(func(ctx context.Context, _ int, _ called) invoke.Result { return takes(ctx, time.Second, status(200)) })
				s := defaults(t)
				s.caller, s.inflight = f, inflight
				r := start(t, s)
				for n := range 200 {
					r.accept(to(fmt.Sprintf("fn-%d", n%60)))
				}
				pass(10 * time.Minute)
				if f.most != inflight || len(f.calls) != 200 {
					t.Errorf("%d calls, at most %d at a time, want 200 and %d", len(f.calls), f.most, inflight)
				}
			})
		})
	}
}

// shelf is an index of entries that are never settled; entries in flight stay.
type shelf map[invocation.Lane][]store.Ready

func (s shelf) Err() error { return nil }

func (s shelf) Take(ctx context.Context, l invocation.Lane, from store.Ready, limit int) ([]store.Ready, error) {
	i := 0
	if !from.ID.IsZero() {
		i, _ = slices.BinarySearchFunc(s[l], from, compare)
		if i < len(s[l]) && compare(s[l][i], from) == 0 {
			i++
		}
	}
	return s[l][i:min(i+limit, len(s[l]))], nil
}

func (shelf) Give(context.Context, []store.Ready) error { return nil }

// ReadyLanes implements scan.
func (s shelf) ReadyLanes(ctx context.Context, from invocation.Lane, urls bool, limit int) ([]invocation.Lane, error) {
	return readyLanes(s, from, urls, limit), nil
}

// readyLanes returns the first lanes of a kind that have anything.
func readyLanes(index map[invocation.Lane][]store.Ready, from invocation.Lane, urls bool, limit int) (lanes []invocation.Lane) {
	after := func(a, b invocation.Lane) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Name, b.Name))
	}
	first := func() {
		slices.SortFunc(lanes, after)
		lanes = lanes[:min(limit, len(lanes))]
	}
	for l, entries := range index {
		if len(entries) > 0 && invocation.IsCallbackLane(l.Name) == urls && after(l, from) > 0 {
			lanes = append(lanes, l)
		}
		if len(lanes) > 8*limit { // sorting all of a flood for each page takes long
			first()
		}
	}
	first()
	return lanes
}

// fill puts n entries into a lane.
func (s shelf) fill(name string, n int) {
	l := invocation.Lane{Queue: queue, Name: name}
	for i := range n {
		at := time.Unix(0, int64(i+1))
		s[l] = append(s[l], store.Ready{Lane: l, Since: at, ID: invocation.NewID(at)})
	}
}

// settle removes what was handed out.
func (s shelf) settle(r store.Ready) {
	i, _ := slices.BinarySearchFunc(s[r.Lane], r, compare)
	s[r.Lane] = slices.Delete(s[r.Lane], i, i+1)
}

// open starts lanes with what is on the shelf, and slots that tests step.
func (s shelf) open(inflight int) *Lanes {
	l := NewLanes(LanesOptions{MaxInflight: inflight})
	l.start(context.Background(), s, func(int) {})
	l.running.Wait()
	return l
}

func TestAQuietLaneGetsItsTurnNext(t *testing.T) {
	t.Parallel()
	s := shelf{}
	s.fill("flooded", 100_000)
	l := s.open(1)
	for range 1000 {
		r, ok := l.take(t.Context(), 0, s)
		switch {
		case !ok:
			t.Fatalf("got %v, %v: ok = false, want true", r, ok)
		case r.Lane.Name != "flooded":
			t.Fatalf("got %v, %v: r.Lane.Name = %q, want \"flooded\"", r, ok, r.Lane.Name)
		}
		l.finish(r.Ready)
	}
	s.fill("quiet", 1)
	l.Ready(s[invocation.Lane{Queue: queue, Name: "quiet"}])
	var names []string
	for range 4 {
		r, _ := l.take(context.Background(), 0, s)
		names = append(names, r.Lane.Name)
		l.finish(r.Ready)
	}
	if want := []string{"quiet", "flooded", "flooded", "flooded"}; !slices.Equal(names, want) {
		t.Errorf("turns %v, want %v", names, want)
	}
}

func TestLanesWithLittleWaitingLeaveHalfOfTheTurnsToTheRound(t *testing.T) {
	t.Parallel()
	s := shelf{}
	s.fill("flooded", 10_000)
	l := s.open(1)
	turns := map[string]int{}
	for n := range 4000 {
		if len(l.lanes) < 2 { // there is always one that comes new
			name := fmt.Sprintf("quiet-%d", n)
			s.fill(name, 1)
			l.Ready(s[invocation.Lane{Queue: queue, Name: name}])
		}
		r, ok := l.take(context.Background(), 0, s)
		if !ok {
			t.Fatal("no turn: ok = false, want true")
		}
		turns[r.Lane.Name[:5]]++
		l.finish(r.Ready)
	}
	l.running.Wait()
	if n := turns["flood"]; n < 1000 { // of the other half, every second one
		t.Errorf("the flooded function has %d turns of 4000, want at least 1000", n)
	}
}

func TestTurnsGoRound(t *testing.T) {
	t.Parallel()
	s := shelf{}
	for _, name := range []string{"a", "b", "c"} {
		s.fill(name, 1000)
	}
	l := s.open(1)
	for n := range 3000 {
		r, ok := l.take(context.Background(), 0, s)
		// At their ends who has little waiting goes ahead.
		if want := string(rune('a' + n%3)); !ok || n < 2900 && r.Lane.Name != want {
			t.Fatalf("turn %d is %s's, want %s", n, r.Lane.Name, want)
		}
		l.finish(r.Ready)
		s.settle(r.Ready)
	}
	switch _, ok := l.take(t.Context(), 0, s); {
	case ok:
		t.Errorf("%d lanes are left when all is done, want none", len(l.lanes))
	case len(l.lanes) != 0:
		t.Errorf("%d lanes are left when all is done, want 0", len(l.lanes))
	}
}

func TestALaneKeepsOnlyItsWindowInMemory(t *testing.T) {
	t.Parallel()
	entries := scaled(200_000)
	s := shelf{}
	s.fill("fn", entries)
	l := NewLanes(LanesOptions{MaxInflight: 8})
	l.start(context.Background(), shelf{}, func(int) {})
	key := invocation.Lane{Queue: queue, Name: "fn"}
	l.Ready(s[key])
	l.running.Wait()
	ln := l.lanes[key]
	held := func() int { return max(len(ln.waiting), len(ln.known)) }
	if n := held(); n != mostWindow {
		t.Errorf("%d entries are in memory, want the window of %d", n, mostWindow)
	}
	most := 0
	for n := range entries {
		r, ok := l.take(t.Context(), 7, s)
		switch {
		case !ok:
			t.Fatalf("entry %d: %v, %v: ok = false, want true", n, r, ok)
		case r.ID != s[key][n].ID:
			t.Fatalf("entry %d: %v, %v, want ID %v", n, r, ok, s[key][n].ID)
		}
		most = max(most, held())
		l.finish(r.Ready)
	}
	if most > mostWindow+1 {
		t.Errorf("up to %d entries were in memory, want at most %d", most, mostWindow+1)
	}
}

func TestManyLanesShareTheWindows(t *testing.T) {
	t.Parallel()
	l := NewLanes(LanesOptions{MaxInflight: 8})
	l.start(context.Background(), shelf{}, func(int) {})
	s := shelf{}
	s.fill("", 64)
	entries := s[invocation.Lane{Queue: queue}]
	for lane := range windows/leastWindow + 10 {
		for i := range entries {
			entries[i].Lane.Name = fmt.Sprintf("fn-%d", lane)
		}
		l.Ready(entries)
	}
	l.running.Wait()
	total, least := 0, mostWindow
	for _, ln := range l.lanes {
		total += len(ln.known)
		least = min(least, len(ln.known))
	}
	// A lane keeps what it had when there were fewer, so the sum is harmonic.
	switch {
	case least != leastWindow:
		t.Errorf("the shortest window has %d, want %d", least, leastWindow)
	case total > 3*windows:
		t.Errorf("%d entries in memory, want at most %d", total, 3*windows)
	}
}

func TestTheStoreIsReadInWindows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(200))
		s := defaults(t)
		s.caller, s.dir, s.fs = f, "data", newDisk()
		r := build(t, s)
		const entries = 3*mostWindow + 7
		for range entries {
			r.accept(to("fn"))
		}
		r.run()
		pass(time.Second)
		calls := f.of("fn")
		if len(calls) != entries {
			t.Fatalf("%d calls, want %d", len(calls), entries)
		}
	})
}

// Bugs that the model found, or a reading of the code.

// meanwhile is a shelf that lets something happen while it is read.
type meanwhile struct {
	shelf
	do func()
}

func (m *meanwhile) Take(ctx context.Context, l invocation.Lane, from store.Ready, limit int) ([]store.Ready, error) {
	found, err := m.shelf.Take(context.Background(), l, from, limit)
	found = slices.Clone(found)
	if do := m.do; do != nil {
		m.do = nil
		do()
	}
	return found, err
}

func TestWhatIsSettledWhileItsLaneIsReadIsNotCalledOnceMore(t *testing.T) {
	t.Parallel()
	s := &meanwhile{shelf: shelf{}}
	s.fill("fn", 2)
	key := invocation.Lane{Queue: queue, Name: "fn"}
	l := NewLanes(LanesOptions{MaxInflight: 2})
	l.start(context.Background(), shelf{}, func(int) {})
	l.Ready(s.shelf[key][1:])
	first, _ := l.take(context.Background(), 0, s)
	// An entry before it has become ready behind a full window, so the lane is read
	// from there, and entries in flight are read too.
	l.lanes[key].leave(placeOf(s.shelf[key][0]))
	l.enqueue(l.lanes[key])
	s.do = func() { s.settle(first.Ready); l.finish(first.Ready) }
	second, ok := l.take(t.Context(), 1, s)
	switch {
	case !ok:
		t.Fatalf("got %v, %v: ok = false, want true", second, ok)
	case second.ID == first.ID:
		t.Fatalf("got %v, %v, want ID not %v", second, ok, first.ID)
	}
	s.settle(second.Ready)
	l.finish(second.Ready)
	if third, ok := l.take(t.Context(), 0, s); ok {
		t.Errorf("%v is handed out again, want nothing", third)
	}
	l.running.Wait()
}

func TestNothingIsTakenAfterAStopThatCameWhileALaneWasRead(t *testing.T) {
	t.Parallel()
	s := &meanwhile{shelf: shelf{}}
	s.fill("fn", 2)
	l := s.open(1)
	s.do = l.stop
	if r, ok := l.take(t.Context(), 0, s); ok {
		t.Errorf("%v is taken, want nothing", r)
	}
}

func TestADueTimeNeverBlocksTheCommitter(t *testing.T) {
	t.Parallel()
	l := NewLanes(LanesOptions{MaxInflight: 1})
	for range 3 {
		l.Due(time.Now()) // no watcher
	}
}
