package embedded

// A dead set of a million letters: groups and filtered pages take the index
// alone, exactly, and no more memory than a page does.

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// bury fills the dead set with n letters of seven functions and three statuses,
// a thousand a second.
func bury(t *testing.T, s *Store, n int, from time.Time) {
	t.Helper()
	var all sync.WaitGroup
	all.Add(n)
	raw := noise(1, 64)
	for i := range n {
		inv := &invocation.Invocation{
			ID: invocation.NewID(from), CallID: "call-" + strconv.Itoa(i/2), Function: "fn", Accepted: from,
			Lane:  invocation.Lane{Queue: "q", Name: "fn" + strconv.Itoa(i%7)},
			State: invocation.Dead, Reason: invocation.AttemptsExhausted, DiedAt: from.Add(time.Duration(i) * time.Millisecond),
			Attempts: []invocation.Attempt{{At: from, Status: []int{500, 503, 404}[i%3]}}, Replays: i % 5,
		}
		s.Accept(store.Accept{Inv: inv, Raw: raw}, func(err error) {
			if err != nil {
				t.Error(err)
			}
			all.Done()
		})
	}
	all.Wait()
}

func TestAMillionLettersAreFilteredAndGrouped(t *testing.T) {
	// Not parallel: the heap of other tests would be counted.
	n, from := many(t), time.Unix(1_800_000_000, 0)
	s := openBig(t, Options{Dir: t.TempDir(), Sync: time.Second})
	defer func() { _ = s.Close() }()
	bury(t, s, n, from)
	before := memory(s)
	timed := func(what string, f func()) {
		t.Helper()
		begin := time.Now()
		f()
		t.Logf("%s took %s", what, time.Since(begin).Round(time.Millisecond))
		if used := memory(s) - before; used > maxMemory {
			t.Errorf("%s took %d MiB, want used at most %v", what, used>>20, maxMemory)
		}
	}
	timed("groups", func() { wantGroups(t, s, n) })
	timed("pages of one function and status", func() {
		wantPages(t, s, store.Filter{Function: "fn3", Statuses: []int{404}}, from, n, func(i int) bool { return i%21 == 17 })
	})
	timed("pages of a minute", func() {
		f := store.Filter{Since: from.Add(2 * time.Second), Until: from.Add(8 * time.Second)}
		wantPages(t, s, f, from, n, func(i int) bool { return i >= 2000 && i < 8000 })
	})
	timed("one call id", func() {
		wantPages(t, s, store.Filter{CallID: "call-1234"}, from, n, func(i int) bool { return i/2 == 1234 })
	})
	timed("nothing", func() { wantPages(t, s, store.Filter{Queue: "other"}, from, n, func(int) bool { return false }) })
}

// wantGroups counts all letters in groups.
func wantGroups(t *testing.T, s *Store, n int) {
	t.Helper()
	groups, err := s.Groups(t.Context(), store.Filter{})
	switch {
	case err != nil:
		t.Fatalf("%d groups, %v, want no error", len(groups), err)
	case len(groups) != 21:
		t.Fatalf("%d groups, %v, want 21 groups", len(groups), err)
	}
	count, replayed := 0, 0
	for _, g := range groups {
		count += g.Count
		replayed += g.Replayed
	}
	switch {
	case count != n:
		t.Errorf("%d letters, %d of them replayed often, want count %v", count, replayed, n)
	case replayed != n/5*2:
		t.Errorf("%d letters, %d of them replayed often, want replayed %v", count, replayed, n/5*2)
	}
}

// wantPages reads all pages, which have to hold the letters for which is holds,
// each once and in order.
func wantPages(t *testing.T, s *Store, f store.Filter, from time.Time, n int, is func(int) bool) {
	t.Helper()
	next := func(i int) int {
		for i++; i < n && !is(i); i++ {
		}
		return i
	}
	want, pages := next(-1), 0
	for cursor := ""; ; pages++ {
		page, err := s.Letters(t.Context(), f, cursor, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, inv := range page.Letters {
			if got := int(inv.DiedAt.Sub(from) / time.Millisecond); got != want {
				t.Fatalf("letter %d comes where %d should, want %v", got, want, want)
			}
			want = next(want)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if want < n {
		t.Errorf("letter %d and those after it are missing after %d pages, want at least %v", want, pages, n)
	}
}
