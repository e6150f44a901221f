package embedded

// Memory is bounded by settings, not by the number of invocations.

import (
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// many is how many invocations the test of memory uses: a hundred thousand, a tenth with
// -short, or SOAK=1000000.
func many(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SOAK")
	switch {
	case text == "" && testing.Short():
		return 10_000
	case text == "":
		return 100_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("SOAK is a number of invocations: %v, want no error", err)
	}
	return n
}

// maxMemory bounds what the store itself may take: the memtables, the cache, the
// tables' indexes and a step's worth of entries.
const maxMemory = 160 << 20

// memory is what is in use after a collection, with what Pebble takes elsewhere.
func memory(s *Store) int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p := s.db.Metrics()
	return int64(m.HeapAlloc) + int64(p.MemTable.Size) + int64(p.MemTable.ZombieSize) + p.BlockCache.Size // #nosec G115 -- fits
}

// TestMemoryIsBounded fills a store with delayed invocations that fall due in
// the same second, moves them, opens the store again and reads its lane.
func TestMemoryIsBounded(t *testing.T) {
	// Not parallel: the heap of other tests would be counted.
	n, due := many(t), time.Now().Add(time.Hour)
	now := due.Add(-time.Hour)
	o := Options{Dir: t.TempDir(), Sync: time.Second, Now: func() time.Time { return now }, Slots: 1}
	s := openBig(t, o)
	begin, before := time.Now(), memory(s)
	check := func(when string) {
		t.Helper()
		used := memory(s) - before
		t.Logf("%s, after %s, the store holds %d MiB more", when, time.Since(begin).Round(time.Millisecond), used>>20)
		if used > maxMemory {
			t.Errorf("%s the store holds %d MiB more, want used at most %v", when, used>>20, maxMemory)
		}
	}
	fill(t, s, n, due)
	check("with all delayed")
	s = reopen(t, s, o)
	check("opened with all delayed")
	if st := s.Stats(); st.Delayed != n {
		t.Fatalf("counts %+v, want delayed %v", st, n)
	}
	now = due
	for steps, more := 0, true; more; steps++ {
		var err error
		if more, err = s.MoveDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if steps%(n/dueStep/4) == 0 {
			check("while they are moved")
		}
	}
	switch st := s.Stats(); {
	case st.Ready != n:
		t.Fatalf("counts %+v, want ready %v", st, n)
	case st.Delayed != 0:
		t.Fatalf("counts %+v, want delayed 0", st)
	case st.Difference() != 0:
		t.Fatalf("counts %+v, want difference 0", st)
	}
	s = reopen(t, s, o)
	check("opened with all ready")
	read := 0
	for from := (store.Ready{}); ; {
		page, err := s.Take(t.Context(), bigLane, from, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		read += len(page)
		from = page[len(page)-1]
	}
	if read != n {
		t.Errorf("%d entries were read, want %v", read, n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Check(t.Context(), o.Dir, nil)
	switch {
	case err != nil:
		t.Errorf("check: %+v, %v, want no error", r, err)
	case !r.OK():
		t.Errorf("check: %+v, %v, want OK", r, err)
	case r.Invocations != n:
		t.Errorf("check: %+v, %v, want invocations %v", r, err, n)
	}
	t.Logf("checked after %s", time.Since(begin).Round(time.Millisecond))
}

var bigLane = invocation.Lane{Queue: "q", Name: "fn"}

func openBig(t *testing.T, o Options) *Store {
	t.Helper()
	begin := time.Now()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("opened %d in %s", s.Stats().AtStart, time.Since(begin).Round(time.Millisecond))
	return s
}

func reopen(t *testing.T, s *Store, o Options) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return openBig(t, o)
}

// fill accepts n invocations that fall due at the same time.
func fill(t *testing.T, s *Store, n int, due time.Time) {
	t.Helper()
	begin := time.Now()
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	all.Add(n)
	raw := noise(1, 256)
	for i := range n {
		inv := &invocation.Invocation{ID: invocation.NewID(begin), CallID: strconv.Itoa(i), Function: "fn", Lane: bigLane, Since: due}
		s.Accept(store.Accept{Inv: inv, Raw: raw}, func(err error) {
			if err != nil {
				failed.Store(&err)
			}
			all.Done()
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		t.Fatal(*err)
	}
	t.Logf("filled at %.0f a second, %d MiB on disk", float64(n)/time.Since(begin).Seconds(), s.Usage().DiskBytes>>20)
}
