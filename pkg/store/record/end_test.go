package record

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// FuzzEnds reads bytes that nothing has written: they are refused or read, and end.
func FuzzEnds(f *testing.F) {
	now := time.Unix(1_700_000_000, 123).UTC()
	var e Ends
	e.Add(&invocation.Invocation{
		ID: invocation.NewID(now), CallID: "eb8283f5-1679-48e0-afec-2a41c5d0e8b7", Lane: invocation.Lane{Queue: "q", Name: "fn"}, Function: "fn",
		Accepted: now, Attempts: []invocation.Attempt{{At: now, Status: 200, Cause: "x"}},
	}, invocation.OutcomeDone, now)
	f.Add(e.Bytes())
	f.Add([]byte{endForm, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		err := EachEnd(b, func(end *store.End) bool {
			n++
			return end.Inv.ID == invocation.ID{} || n < 10
		})
		if n > len(b) {
			t.Errorf("ends in %d bytes: got %d, %v", len(b), n, err)
		}
	})
}

// supersededAt is a callback that a replay has cancelled.
func supersededAt(t time.Time) *invocation.Invocation {
	inv := &invocation.Invocation{ID: invocation.NewID(t), Kind: invocation.KindCallback, Lane: invocation.Lane{Queue: "q"}, Origin: invocation.NewID(t), Sequence: 2, Accepted: t}
	inv.Supersede()
	return inv
}

func TestEndsOfABatchAreReadAsTheyWereAdded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 123).UTC()
	ends := []store.End{
		{Inv: &invocation.Invocation{ID: invocation.NewID(now), CallID: "eb8283f5-1679-48e0-afec-2a41c5d0e8b7", Lane: invocation.Lane{Queue: "q", Name: "fn"}, Function: "fn", Accepted: now.Add(-time.Hour), Retries: 300, Replays: 2}, Outcome: invocation.OutcomeDone},
		{Inv: &invocation.Invocation{ID: invocation.NewID(now), CallID: "", Lane: invocation.Lane{Queue: "q", Name: "fn"}, Function: "fn.openfaas-fn", Accepted: now.Add(time.Second)}, Outcome: invocation.OutcomeDropped},
		{Inv: &invocation.Invocation{
			ID: invocation.NewID(now), CallID: "\x00\xff", Kind: invocation.KindCallback, Lane: invocation.Lane{Queue: "q"}, Function: "fn", Origin: invocation.NewID(now), Accepted: now,
			Attempts: []invocation.Attempt{{At: now.Add(-time.Minute), Duration: time.Hour, Status: 599, Cause: "dns"}}, Omitted: 7,
		}, Outcome: invocation.OutcomeCancelled},
		{Inv: supersededAt(now), Outcome: invocation.OutcomeCancelled},
	}
	var e Ends
	for range 2 { // its memory is used again
		e.Reset()
		if got := e.Bytes(); len(got) != 0 {
			t.Errorf("bytes without an end: got %d, want 0", len(got))
		}
		for i := range ends {
			ends[i].At = now
			e.Add(ends[i].Inv, ends[i].Outcome, now.Add(time.Duration(i)))
		}
		var got []store.End
		if err := EachEnd(e.Bytes(), func(end *store.End) bool { got = append(got, *end); return true }); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(ends, got); d != "" {
			t.Errorf("ends (-want +got):\n%s", d)
		}
	}
	whole := e.Bytes()
	for n := 1; n < len(whole); n++ {
		count := 0
		err := EachEnd(whole[:n], func(*store.End) bool { count++; return true })
		if err == nil && count == len(ends) {
			t.Errorf("the first %d of %d bytes are read as all ends", n, len(whole))
		}
	}
}

func TestATypicalEndTakesSixtyBytes(t *testing.T) {
	now := time.Now()
	var e Ends
	const n = 100
	for range n {
		e.Add(&invocation.Invocation{
			ID: invocation.NewID(now), CallID: "eb8283f5-1679-48e0-afec-2a41c5d0e8b7", Lane: invocation.Lane{Queue: "faas-request", Name: "figlet"}, Function: "figlet",
			Accepted: now.Add(-time.Second), Attempts: []invocation.Attempt{{At: now.Add(-5 * time.Millisecond), Duration: 5 * time.Millisecond, Status: 200}},
		}, invocation.OutcomeDone, now)
	}
	if got := len(e.Bytes()) / n; got > 60 {
		t.Errorf("bytes of an end: got %d, want at most 60", got)
	}
	if allocs := testing.AllocsPerRun(100, func() {
		e.Reset()
		e.Add(&invocation.Invocation{CallID: "eb8283f5-1679-48e0-afec-2a41c5d0e8b7"}, invocation.OutcomeDone, now)
	}); allocs > 1 {
		t.Errorf("allocations of an end: got %v, want at most that of the invocation", allocs)
	}
}
