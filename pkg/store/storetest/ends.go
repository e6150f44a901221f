package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// remember opens the store again, so that it remembers ends.
func (w *world) remember(ttl time.Duration, bytes int64) {
	w.Helper()
	w.stop()
	w.endTTL, w.endBytes = ttl, bytes
	w.start()
}

// endOf is what is remembered of an invocation.
func (w *world) endOf(inv *invocation.Invocation, outcome invocation.Outcome) *store.End {
	kept := &invocation.Invocation{
		ID: inv.ID, CallID: inv.CallID, Kind: inv.Kind, Lane: inv.Lane, Function: inv.Function, Origin: inv.Origin,
		Accepted: inv.Accepted, Retries: inv.Retries, Replays: inv.Replays, Omitted: inv.Calls(),
	}
	if n := len(inv.Attempts); n > 0 {
		kept.Attempts = inv.Attempts[n-1:]
		kept.Omitted--
	}
	if kept.Kind == invocation.KindCallback {
		kept.Lane.Name = ""
	}
	return &store.End{Inv: kept, Outcome: outcome, At: w.clock.Now()}
}

// wantEnd checks what is remembered of an invocation, by its id and by its call id.
func (w *world) wantEnd(want *store.End) {
	w.Helper()
	got, err := w.End(w.Context(), want.Inv.ID)
	if err != nil {
		w.Errorf("end of %s: got %v, want one", want.Inv.CallID, err)
	}
	if d := cmp.Diff(want, got); d != "" {
		w.Errorf("end by id (-want +got):\n%s", d)
	}
	byCall, err := w.EndsOfCall(w.Context(), want.Inv.CallID, 10)
	if err != nil {
		w.Errorf("ends of %s: got %v, want one", want.Inv.CallID, err)
	}
	if d := cmp.Diff([]*store.End{want}, byCall); d != "" {
		w.Errorf("ends by call id (-want +got):\n%s", d)
	}
}

// wantNoEnd checks that nothing is remembered of an invocation.
func (w *world) wantNoEnd(inv *invocation.Invocation) {
	w.Helper()
	if end, err := w.End(w.Context(), inv.ID); !errors.Is(err, store.ErrNotFound) {
		w.Errorf("end of %s: got %+v, %v, want ErrNotFound", inv.CallID, end, err)
	}
	got, err := w.EndsOfCall(w.Context(), inv.CallID, 10)
	if err != nil {
		w.Errorf("ends of %s: got %v, want none", inv.CallID, err)
	}
	if len(got) != 0 {
		w.Errorf("ends of %s: got %d, want none", inv.CallID, len(got))
	}
}

// called is an invocation after two attempts.
func (w *world) called(inv *invocation.Invocation) *invocation.Invocation {
	inv.Record(invocation.Attempt{At: w.clock.Now().Add(-time.Minute).UTC(), Status: 503, Cause: "refused", Duration: time.Second})
	inv.Record(invocation.Attempt{At: w.clock.Now().Add(-time.Second).UTC(), Status: 200, Duration: 1234567})
	inv.Retries = 1
	return inv
}

var ends = []test{
	{"an end is remembered, with every outcome, and outlives a restart", func(w *world) {
		w.remember(time.Hour, 0)
		done, dropped, cancelled, bare := w.called(w.now("fn")), w.now("fn"), w.now("other"), w.now("fn")
		done.CallID = "eb8283f5-1679-48e0-afec-2a41c5d0e8b7"
		dropped.CallID = "EB8283F5-1679-48E0-AFEC-2A41C5D0E8B7" // another text than that of a UUID
		bare.CallID = "any text \xff"
		w.take(done, dropped, cancelled, bare)
		w.settle(done, invocation.OutcomeDone, nil)
		w.settle(dropped, invocation.OutcomeDropped, nil)
		w.settle(bare, invocation.OutcomeDone, nil)
		if _, err := w.Cancel(w.Context(), cancelled.ID); err != nil {
			w.Fatal(err)
		}
		want := []*store.End{
			w.endOf(done, invocation.OutcomeDone), w.endOf(dropped, invocation.OutcomeDropped),
			w.endOf(cancelled, invocation.OutcomeCancelled), w.endOf(bare, invocation.OutcomeDone),
		}
		check := func() {
			w.Helper()
			for _, end := range want {
				w.wantEnd(end)
			}
			if st := w.Stats(); st.Ends != len(want) {
				w.Errorf("ends that are counted: got %d, want %d", st.Ends, len(want))
			}
		}
		check()
		if w.durable {
			w.restart()
			check()
		}
	}},
	{"what is pending, dead or refused has no end", func(w *world) {
		w.remember(time.Hour, 0)
		pending, dead := w.now("fn"), w.now("fn")
		w.take(pending, dead)
		w.bury(dead)
		w.wantNoEnd(pending)
		w.wantNoEnd(dead)
		w.wantNoEnd(w.now("never accepted"))
		if err := w.Drop(w.Context(), dead.ID); err != nil {
			w.Fatal(err)
		}
		w.wantEnd(w.endOf(dead, invocation.OutcomeDropped))
	}},
	{"an end of a callback names its origin and no URL", func(w *world) {
		w.remember(time.Hour, 0)
		inv := w.now("fn")
		w.take(inv)
		cb := w.callback(inv)
		w.settle(inv, invocation.OutcomeDone, cb)
		w.settle(cb.Inv, invocation.OutcomeDone, nil)
		got, err := w.End(w.Context(), cb.Inv.ID)
		if err != nil {
			w.Fatal(err)
		}
		if d := cmp.Diff(w.endOf(cb.Inv, invocation.OutcomeDone), got); d != "" {
			w.Errorf("end of the callback (-want +got):\n%s", d)
		}
	}},
	{"ends of one call id are found, the latest first, up to the limit", func(w *world) {
		w.remember(time.Hour, 0)
		var want []*store.End
		for range 4 {
			inv := w.now("fn")
			inv.CallID = "same"
			w.take(inv)
			w.settle(inv, invocation.OutcomeDone, nil)
			want = append([]*store.End{w.endOf(inv, invocation.OutcomeDone)}, want...)
			w.clock.add(time.Second)
		}
		for _, limit := range []int{-1, 0, 1, 3, 10} {
			got, err := w.EndsOfCall(w.Context(), "same", limit)
			if err != nil {
				w.Fatal(err)
			}
			if d := cmp.Diff(want[:max(0, min(limit, 4))], append([]*store.End{}, got...)); d != "" {
				w.Errorf("limit %d, ends (-want +got):\n%s", limit, d)
			}
		}
	}},
	{"an end is forgotten when it expires, swept or not", func(w *world) {
		w.remember(time.Hour, 0)
		inv := w.now("fn")
		w.take(inv)
		w.settle(inv, invocation.OutcomeDone, nil)
		end := w.endOf(inv, invocation.OutcomeDone)
		w.clock.add(time.Hour - 1)
		w.wantEnd(end)
		if n := w.sweep(); n != 0 {
			w.Errorf("swept before it expires: got %d, want 0", n)
		}
		w.clock.add(1)
		w.wantNoEnd(inv)
		if n := w.sweep(); n != 1 {
			w.Errorf("swept: got %d, want 1", n)
		}
		w.wantNoEnd(inv)
		st := w.Stats()
		if st.Ends != 0 {
			w.Errorf("ends that are counted: got %d, want 0", st.Ends)
		}
		if st.EndBytes != 0 {
			w.Errorf("bytes of ends that are counted: got %d, want 0", st.EndBytes)
		}
		if st.EndsRemoved != 0 {
			w.Errorf("ends removed by the bound: got %d, want 0", st.EndsRemoved)
		}
	}},
	{"beyond the bound of bytes the oldest ends are removed first, and counted", func(w *world) {
		const bytes = 8 << 10
		w.remember(time.Hour, bytes)
		var all []*invocation.Invocation
		for n := range 400 {
			inv := w.now("fn")
			inv.CallID = fmt.Sprint("call of its own ", n)
			w.take(inv)
			w.settle(inv, invocation.OutcomeDone, nil)
			all = append(all, inv)
			w.clock.add(time.Second)
		}
		check := func() {
			w.Helper()
			st := w.Stats()
			if got := st.EndBytes; got == 0 || got > bytes*3/2 {
				w.Errorf("bytes of ends: got %d, want up to about %d", got, bytes)
			}
			if st.Ends == 0 || st.Ends >= len(all) {
				w.Fatalf("ends: got %d, want some of %d", st.Ends, len(all))
			}
			w.wantNoEnd(all[len(all)-st.Ends-1])
			for _, inv := range all[len(all)-st.Ends:] {
				if _, err := w.End(w.Context(), inv.ID); err != nil {
					w.Errorf("end of %s: got %v, want it remembered", inv.CallID, err)
				}
			}
		}
		check()
		if st := w.Stats(); int(st.EndsRemoved)+st.Ends != len(all) { // #nosec G115 -- a count
			w.Errorf("removed and remembered ends: got %d and %d, want %d together", st.EndsRemoved, st.Ends, len(all))
		}
		if w.durable {
			before := w.Stats()
			w.restart()
			check()
			if after := w.Stats(); after.EndBytes != before.EndBytes {
				w.Errorf("bytes of ends after a restart: got %d, want %d", after.EndBytes, before.EndBytes)
			}
		}
	}},
	{"a store that is to remember none has none", func(w *world) {
		w.remember(time.Hour, 0)
		inv := w.now("fn")
		w.take(inv)
		w.settle(inv, invocation.OutcomeDone, nil)
		w.remember(0, 0)
		w.wantNoEnd(inv)
		w.remember(time.Hour, 0)
		w.wantNoEnd(inv)
		if st := w.Stats(); st.Ends != 0 {
			w.Errorf("ends that are counted: got %d, want 0", st.Ends)
		}
	}},
}
