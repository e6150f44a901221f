package storetest

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// ending is a result of an invocation that is kept for a minute.
func (w *world) ending(inv *invocation.Invocation, body string) *store.Result {
	r := &store.Result{
		Inv: inv, Outcome: invocation.OutcomeDone, Status: 200, Header: http.Header{"Content-Type": {"text/plain"}, "X-A": {"1", "2"}},
		At: w.clock.Now(), Expires: w.clock.Now().Add(time.Minute),
	}
	if body != "" {
		r.Body = []byte(body)
	}
	return r
}

// finish settles a ready invocation with a result.
func (w *world) finish(inv *invocation.Invocation, v invocation.Outcome, r *store.Result) {
	w.Helper()
	if err := w.Settle(w.Context(), store.Settlement{At: at(inv), Outcome: v, Inv: inv, Result: r}); err != nil {
		w.Fatalf("settle: %v", err)
	}
}

// wantResult checks what is known of the end of an invocation.
func (w *world) wantResult(want *store.Result) {
	w.Helper()
	got, err := w.Result(w.Context(), want.Inv.ID, true)
	if d := cmp.Diff(want, got); d != "" || err != nil {
		w.Errorf("%v, result (-want +got):\n%s", err, d)
	}
	bare := *want
	bare.Body = nil
	got, err = w.Result(w.Context(), want.Inv.ID, false)
	if d := cmp.Diff(&bare, got); d != "" || err != nil {
		w.Errorf("%v, result without body (-want +got):\n%s", err, d)
	}
}

// wantNoResult checks that nothing is known of the end of an invocation.
func (w *world) wantNoResult(inv *invocation.Invocation) {
	w.Helper()
	if r, err := w.Result(w.Context(), inv.ID, true); !errors.Is(err, store.ErrNotFound) {
		w.Errorf("the result is %+v, %v, want ErrNotFound", r, err)
	}
	if got := w.results(inv.CallID, 10); len(got) != 0 {
		w.Errorf("results by call id: got %v, want none", got)
	}
}

var results = []test{
	{"a result is kept with the settlement, and outlives a restart", func(w *world) {
		plain, empty, none := w.now("fn"), w.now("fn"), w.now("fn")
		w.take(plain, empty, none)
		plain.Record(invocation.Attempt{At: w.clock.Now(), Status: 200})
		a, b := w.ending(plain, "hello"), w.ending(empty, "")
		b.Truncated, b.Status, b.Header = true, 0, nil
		w.finish(plain, invocation.OutcomeDone, a)
		w.finish(empty, invocation.OutcomeDropped, b)
		w.finish(none, invocation.OutcomeDone, nil)
		check := func() {
			w.Helper()
			w.wantResult(a)
			w.wantResult(b)
			w.wantNoResult(none)
			w.wantGone(plain)
			if st := w.Stats(); st.Results != 2 || st.ResultBytes <= 5 || st.Bytes != 0 {
				w.Errorf("counts %+v", st)
			}
		}
		check()
		if w.durable {
			before := w.Stats()
			w.restart()
			check()
			if after := w.Stats(); after.ResultBytes != before.ResultBytes {
				w.Errorf("results took %d bytes, now %d", before.ResultBytes, after.ResultBytes)
			}
		}
	}},
	{"bytes that are not UTF-8 are kept in QueueRequest, header and body", func(w *world) {
		const odd = "J\xf6rg \x00\x80\xff"
		inv := w.now("fn")
		inv.CallID = "J\xf6rg"
		if err := w.try(store.Accept{Inv: inv, Raw: []byte(odd)}); err != nil {
			w.Fatal(err)
		}
		l, err := w.LoadReady(w.Context(), at(inv))
		if err != nil {
			w.Fatal(err)
		}
		if got := string(l.Raw); got != odd {
			w.Errorf("QueueRequest: got %q, want %q", got, odd)
		}
		if got := w.stored(inv.CallID, 10); len(got) != 1 || got[0].CallID != inv.CallID {
			w.Errorf("by call id: got %v, want one with %q", got, inv.CallID)
		}
		r := w.ending(inv, odd)
		r.Header = http.Header{"X-Name": {odd, "1"}}
		w.finish(inv, invocation.OutcomeDone, r)
		w.wantResult(r)
	}},
	{"a result without an invocation is that of the settlement", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		r := w.ending(nil, "x")
		r.Outcome = invocation.OutcomeDead
		inv.Reason, inv.DiedAt = invocation.AttemptsExhausted, w.clock.Now()
		w.finish(inv, invocation.OutcomeDead, r)
		r.Inv = inv
		w.wantResult(r)
		w.wantDead(inv)
	}},
	{"a later result takes the place of an earlier one", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		for n, body := range []string{"first", "", "the third", "the fourth"} {
			r := w.ending(inv, body)
			inv.Reason, inv.DiedAt = invocation.AttemptsExhausted, w.clock.Now()
			w.finish(inv, invocation.OutcomeDead, r)
			w.wantResult(r)
			if n == 2 {
				w.clock.add(time.Hour) // and one that has expired
			}
			w.clock.add(time.Second)
			if err := w.Replay(w.Context(), inv.ID); err != nil {
				w.Fatal(err)
			}
			var err error
			if inv, err = w.Get(w.Context(), inv.ID); err != nil {
				w.Fatal(err)
			}
			if st := w.Stats(); st.Results != 1 {
				w.Errorf("counts %+v", st)
			}
		}
		if n := w.sweep(); n != 0 {
			w.Errorf("%d were swept: expiries of earlier results", n)
		}
		w.clock.add(time.Hour)
		if n := w.sweep(); n != 1 {
			w.Errorf("%d were swept", n)
		}
	}},
	{"a result is forgotten when it expires, swept or not", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		r := w.ending(inv, "hello")
		w.finish(inv, invocation.OutcomeDone, r)
		w.clock.add(time.Minute - 1)
		w.wantResult(r)
		w.clock.add(1)
		w.wantNoResult(inv)
		if n := w.sweep(); n != 1 {
			w.Errorf("%d were swept", n)
		}
		w.wantNoResult(inv)
		if st := w.Stats(); st.Results != 0 || st.ResultBytes != 0 {
			w.Errorf("counts %+v", st)
		}
	}},
	{"results of one call id are found, youngest invocation first", func(w *world) {
		want := []*store.Result{}
		for n := range 4 {
			inv := w.now("fn")
			inv.CallID = "same"
			if n == 2 {
				inv.CallID = "other"
			}
			w.take(inv)
			r := w.ending(inv, fmt.Sprint("body ", n))
			w.finish(inv, invocation.OutcomeDone, r)
			bare := *r
			bare.Body = nil
			if n != 2 {
				want = append([]*store.Result{&bare}, want...)
			}
			w.clock.add(time.Second)
		}
		for _, limit := range []int{-1, 0, 1, 2, 3, 10} {
			if d := cmp.Diff(want[:max(0, min(limit, 3))], append([]*store.Result{}, w.results("same", limit)...)); d != "" {
				w.Errorf("limit %d, results (-want +got):\n%s", limit, d)
			}
		}
	}},
	{"a settlement that is refused keeps no result", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		w.settle(inv, invocation.OutcomeDone, nil)
		err := w.Settle(w.Context(), store.Settlement{At: at(inv), Outcome: invocation.OutcomeDone, Inv: inv, Result: w.ending(inv, "x")})
		if !errors.Is(err, store.ErrNotFound) {
			w.Errorf("settle gives %v", err)
		}
		w.wantNoResult(inv)
	}},
}
