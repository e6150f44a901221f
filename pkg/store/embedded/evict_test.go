package embedded

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// evicted has a store with few counts, in which letters lie.
type evicted struct {
	*testing.T
	s    *Store
	o    Options
	died time.Time
}

func newEvicted(t *testing.T) *evicted {
	t.Helper()
	e := &evicted{T: t, o: Options{Dir: t.TempDir(), lanes: 100}, died: time.Unix(1_800_000_000, 0)}
	e.restart()
	t.Cleanup(func() { _ = e.s.Close() })
	return e
}

func (e *evicted) restart() {
	e.Helper()
	if e.s != nil {
		if err := e.s.Close(); err != nil {
			e.Fatal(err)
		}
	}
	var err error
	if e.s, err = Open(e.o); err != nil {
		e.Fatal(err)
	}
}

// letters adds n letters of 100 bytes, each younger than the one before it.
func (e *evicted) letters(n int, name func(i int) string) {
	e.Helper()
	e.lettersIn("q", n, name)
}

// lettersIn is letters for a queue.
func (e *evicted) lettersIn(queue string, n int, name func(i int) string) {
	e.Helper()
	done := make(chan error, n)
	raw := noise(1, 100)
	for i := range n {
		e.died = e.died.Add(time.Millisecond)
		inv := &invocation.Invocation{
			ID: invocation.NewID(e.died), Lane: invocation.Lane{Queue: queue, Name: name(i)}, Accepted: e.died,
			State: invocation.Dead, Reason: invocation.AttemptsExhausted, DiedAt: e.died,
		}
		e.s.Accept(store.Accept{Inv: inv, Raw: raw}, func(err error) { done <- err })
	}
	for range n {
		if err := <-done; err != nil {
			e.Fatal(err)
		}
	}
}

// expire returns how many letters were removed by class.
func (e *evicted) expire(most int64) map[string]int {
	e.Helper()
	removed := map[string]int{}
	for {
		x, err := e.s.Expire(e.Context(), store.Bounds{MaxBytes: most, Known: func(_ context.Context, f string) bool { return strings.HasPrefix(f, "real") }})
		if err != nil {
			e.Fatal(err)
		}
		if len(x.Letters) == 0 {
			break
		}
		removed[x.Class] += len(x.Letters)
	}
	if got := e.s.Stats(); got.DeadBytes > most || got.Difference() != 0 {
		e.Errorf("counts after it are %+v", got)
	}
	return removed
}

func always(name string) func(int) string { return func(int) string { return name } }

func TestInventedNamesEvictNothingOfAFunction(t *testing.T) {
	t.Parallel()
	for what, sender := range map[string]func(i int) string{
		store.ClassUnknown:   func(i int) string { return "invented-" + strconv.Itoa(i) },
		store.ClassCallbacks: func(i int) string { return "url:host-" + strconv.Itoa(i) + ":80" },
	} {
		for _, restart := range []bool{false, true} {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				e := newEvicted(t)
				known, room := 400/everyWithShort(10), 1000/everyWithShort(10)
				e.letters(known, always("real"))
				e.letters(10*room, sender)
				if restart {
					e.restart()
				}
				removed := e.expire(int64(100 * room))
				switch {
				case removed["real"] != 0:
					t.Errorf(`removed by class: %v, want removed["real"] 0`, removed)
				case len(removed) == 0:
					t.Errorf("removed by class: %v, want at least 1 removed", removed)
				}
				if got := countsOf(t, e.s, invocation.Lane{Queue: "q", Name: "real"}).Dead; got != known {
					t.Errorf("%d letters of the function are left, want %d", got, known)
				}
				if got := e.s.Stats().Dead; got != room {
					t.Errorf("%d letters are left, want as many as there is room for", got)
				}
			})
		}
	}
}

func TestTheClassThatUsesMostLosesItsOldest(t *testing.T) {
	t.Parallel()
	e := newEvicted(t)
	e.letters(10, always("real-quiet"))
	e.letters(100, always("real-a"))
	e.letters(80, always("real-b"))
	e.letters(20, func(i int) string { return "invented-" + strconv.Itoa(i) })
	removed := e.expire(130 * 100) // 10 and 20 stay, the others have 50 each
	switch {
	case len(removed) != 2:
		t.Errorf("removed by class: %v, want 2 removed", removed)
	case removed["real-a"] != 50:
		t.Errorf(`removed by class: %v, want removed["real-a"] 50`, removed)
	case removed["real-b"] != 30:
		t.Errorf(`removed by class: %v, want removed["real-b"] 30`, removed)
	}
	page, err := e.s.Letters(t.Context(), store.Filter{Function: "real-a"}, "", 1)
	switch {
	case err != nil:
		t.Errorf("the oldest that is left is %+v, %v, want no error", page.Letters, err)
	case len(page.Letters) != 1:
		t.Errorf("the oldest that is left is %+v, %v, want 1 letter", page.Letters, err)
	case !page.Letters[0].DiedAt.Equal(time.Unix(1_800_000_000, 0).Add(61 * time.Millisecond)):
		t.Errorf("the oldest that is left is %+v, %v, want DiedAt %v", page.Letters, err, time.Unix(1_800_000_000, 0).Add(61*time.Millisecond))
	}
}

func TestAFunctionIsOneClassOverAllQueues(t *testing.T) {
	t.Parallel()
	e := newEvicted(t)
	e.letters(50, always("real-a"))
	e.lettersIn("slow", 60, always("real-b"))
	e.letters(60, always("real-b"))
	e.lettersIn("slow", 60, always("url:host:80"))
	e.letters(60, always("url:host:80"))
	removed := e.expire(150 * 100) // 50 for each class
	switch {
	case len(removed) != 2:
		t.Errorf("removed by class: %v, want 2 removed", removed)
	case removed["real-b"] != 70:
		t.Errorf(`removed by class: %v, want removed["real-b"] 70`, removed)
	case removed[store.ClassCallbacks] != 70:
		t.Errorf("removed by class: %v, want removed[store.ClassCallbacks] 70", removed)
	}
	switch in, slow := countsOf(t, e.s, invocation.Lane{Queue: "q", Name: "real-b"}), countsOf(t, e.s, invocation.Lane{Queue: "slow", Name: "real-b"}); {
	case in.Dead != 50:
		t.Errorf("left are %d, and %d of the older ones in the other queue, want dead 50", in.Dead, slow.Dead)
	case slow.Dead != 0:
		t.Errorf("left are %d, and %d of the older ones in the other queue, want dead 0", in.Dead, slow.Dead)
	}
}

// countsOf is the counts of one lane.
func countsOf(t *testing.T, s *Store, l invocation.Lane) store.LaneStats {
	t.Helper()
	n, err := s.Lane(t.Context(), l)
	if err != nil {
		t.Errorf("counts of %v: got %v, want no error", l, err)
	}
	return n
}

func TestALetterThatCannotBeReadDoesNotCountAsRemoved(t *testing.T) {
	t.Parallel()
	e := newEvicted(t)
	e.letters(3, always("real"))
	page, err := e.s.Letters(t.Context(), store.Filter{}, "", 3)
	if err != nil {
		t.Fatal(err)
	}
	remove(t, e.s, appendRecordKey(nil, page.Letters[0].ID))
	if removed := e.expire(200); removed["real"] != 1 {
		t.Errorf(`removed by class: %v, want removed["real"] 1`, removed)
	}
}

// TestAFunctionThatWasCountedWithInventedNamesIsAClass: beyond the lanes that are counted by
// themselves the bytes of a function count as those of unknown functions at first.
func TestAFunctionThatWasCountedWithInventedNamesIsAClass(t *testing.T) {
	t.Parallel()
	e := newEvicted(t)
	e.letters(200, func(i int) string { return "invented-" + strconv.Itoa(i) })
	e.letters(100, always("real-quiet"))
	e.letters(600, always("real-loud"))
	loud := invocation.Lane{Queue: "q", Name: "real-loud"}
	if _, counted := e.s.counts.lane(loud); counted {
		t.Fatal("the function is counted by itself, want not counted")
	}
	removed := e.expire(400 * 100) // 100 stay, the others have 150 each
	switch {
	case len(removed) != 2:
		t.Errorf("removed by class: %v, want 2 removed", removed)
	case removed["real-loud"] != 450:
		t.Errorf(`removed by class: %v, want removed["real-loud"] 450`, removed)
	case removed[store.ClassUnknown] != 50:
		t.Errorf("removed by class: %v, want removed[store.ClassUnknown] 50", removed)
	}
	switch n, counted := e.s.counts.lane(loud); {
	case !counted:
		t.Errorf("counted by itself: %v, %+v, want counted", counted, n)
	case n.Dead != 150:
		t.Errorf("counted by itself: %v, %+v, want dead 150", counted, n)
	}
}

func TestEvictionEndsWhenNoMoreFunctionsCanBeCounted(t *testing.T) {
	t.Parallel()
	e := newEvicted(t)
	e.letters(adoptedLanes+300, func(i int) string { return "real-" + strconv.Itoa(i) })
	e.expire(adoptedLanes * 100)
	if got := e.s.Stats().Dead; got != adoptedLanes {
		t.Errorf("%d letters are left, want as many as there is room for", got)
	}
}
