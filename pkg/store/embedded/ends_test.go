package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// finishMany accepts and finishes n invocations, and returns them in the order in which they were made.
func finishMany(t testing.TB, s *Store, calls string, n int) []*invocation.Invocation {
	t.Helper()
	all := make([]*invocation.Invocation, n)
	var group sync.WaitGroup
	for i := range all {
		now := time.Now()
		inv := &invocation.Invocation{
			ID: invocation.NewID(now), CallID: fmt.Sprint(calls, i), Function: "fn", Lane: invocation.Lane{Queue: "q", Name: "fn"}, Accepted: now, Since: now,
		}
		all[i] = inv
		group.Add(1)
		s.Accept(store.Accept{Inv: inv, Raw: []byte("x")}, func(err error) {
			if err != nil {
				t.Error(err)
			}
			go func() {
				defer group.Done()
				if err := s.Settle(context.Background(), store.Settlement{
					At: store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}, Outcome: invocation.OutcomeDone, Inv: inv,
				}); err != nil {
					t.Error(err)
				}
			}()
		})
	}
	group.Wait()
	return all
}

func TestEndsOfManySegmentsAreFoundAndNoOthers(t *testing.T) {
	t.Parallel()
	o := Options{Dir: "data", FS: vfs.NewMem(), EndTTL: time.Hour}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	all := finishMany(t, s, "call ", 2*segmentEnds+batchOps+100)
	check := func() {
		t.Helper()
		for i := 0; i < len(all); i += 97 * everyWithShort(20) {
			if end, err := s.End(t.Context(), all[i].ID); err != nil || end.Inv.CallID != all[i].CallID {
				t.Fatalf("end of number %d: got %+v, %v, want that of %s", i, end, err, all[i].CallID)
			}
			byCall, err := s.EndsOfCall(t.Context(), all[i].CallID, 10)
			if err != nil || len(byCall) != 1 || byCall[0].Inv.ID != all[i].ID {
				t.Fatalf("ends of number %d by call id: got %v, %v, want that of %s", i, byCall, err, all[i].ID)
			}
		}
		for i := range 100 / everyWithShort(10) {
			if end, err := s.End(t.Context(), invocation.NewID(time.Now())); !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("end of what never was: got %+v, %v, want ErrNotFound", end, err)
			}
			if ends, err := s.EndsOfCall(t.Context(), fmt.Sprint("another call ", i), 10); err != nil || len(ends) != 0 {
				t.Fatalf("ends of a call that never was: got %v, %v, want none", ends, err)
			}
		}
	}
	if n := len(s.ends.closed); n < 2 {
		t.Fatalf("full segments: got %d, want at least 2", n)
	}
	check()
	before, closed := s.Stats(), len(s.ends.closed)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(o); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if n := len(s.ends.closed); n != closed {
		t.Errorf("full segments after a restart: got %d, want %d", n, closed)
	}
	if after := s.Stats(); after.Ends != before.Ends || after.EndBytes != before.EndBytes {
		t.Errorf("ends and their bytes after a restart: got %d, %d, want %d, %d", after.Ends, after.EndBytes, before.Ends, before.EndBytes)
	}
	check()
	finishMany(t, s, "later ", 10)
	check()
}

// TestAFilterLetsFewAbsentIDsPass holds the filters: without them a look-up would read all ends.
func TestAFilterLetsFewAbsentIDsPass(t *testing.T) {
	t.Parallel()
	var hashes []uint64
	for range segmentEnds {
		hashes = append(hashes, hashOfID(invocation.NewID(time.Now())), hashOfCall(invocation.NewID(time.Now()).String()))
	}
	x := segment{begin: time.Unix(1, 0), until: time.Unix(2, 0), ends: segmentEnds, bytes: 200_000}
	value := appendSegment(nil, &x, hashes)
	for _, h := range hashes {
		if !hasHash(value, h) {
			t.Fatal("an id that is in the segment does not pass its filter")
		}
	}
	passed := 0
	const absent = 20_000
	for range absent {
		if hasHash(value, hashOfID(invocation.NewID(time.Now()))) {
			passed++
		}
	}
	if passed > absent/100 {
		t.Errorf("absent ids that pass: got %d of %d, want at most one of 100", passed, absent)
	}
}

// fillEnds writes ends of so many bytes as batches of a busy worker would have them.
func fillEnds(b *testing.B, s *Store, bytes int64) {
	b.Helper()
	t := &txn{s: s, touched: map[invocation.ID]struct{}{}, seen: map[store.Source]struct{}{}}
	start := time.Now()
	for held := int64(0); held < bytes; held = s.ends.bytes {
		t.begin()
		t.now = time.Now()
		for range 30 {
			t.ended(&invocation.Invocation{
				ID: invocation.NewID(t.now), CallID: invocation.NewID(t.now).String(), Lane: invocation.Lane{Queue: "faas-request", Name: "figlet"}, Function: "figlet",
				Accepted: start, Attempts: []invocation.Attempt{{At: t.now, Duration: 5 * time.Millisecond, Status: 200}},
			}, invocation.OutcomeDone)
		}
		t.putEnds()
		if err := t.batch.Commit(pebble.NoSync); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEndByCall looks up call ids in a store that remembers as many ends as outcome_max_bytes allows
// by default. The call ids are unknown, which is the most expensive case.
func BenchmarkEndByCall(b *testing.B) {
	s, err := Open(Options{Dir: b.TempDir(), EndTTL: 24 * time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	fillEnds(b, s, 256<<20)
	n := s.ends.open.ends
	for _, x := range s.ends.closed {
		n += x.ends
	}
	for b.Loop() {
		if _, err := s.EndsOfCall(b.Context(), invocation.NewID(time.Now()).String(), 10); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n), "ends")
	b.ReportMetric(float64(s.ends.bytes)/float64(n), "B/end")
}

// BenchmarkEnd adds the end of a typical invocation to a batch.
func BenchmarkEnd(b *testing.B) {
	now := time.Now()
	inv := &invocation.Invocation{
		ID: invocation.NewID(now), CallID: "eb8283f5-1679-48e0-afec-2a41c5d0e8b7", Lane: invocation.Lane{Queue: "faas-request", Name: "figlet"}, Function: "figlet",
		Accepted: now, Attempts: []invocation.Attempt{{At: now, Duration: 5 * time.Millisecond, Status: 200}},
	}
	var e record.Ends
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%30 == 0 {
			e.Reset()
		}
		e.Add(inv, invocation.OutcomeDone, now)
	}
}
