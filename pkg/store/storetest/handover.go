package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// load reads a ready invocation as a worker does it, and checks that it is as given.
func (w *world) load(want *invocation.Invocation) store.Loaded {
	w.Helper()
	l, err := w.LoadReady(at(want))
	if err != nil {
		w.Fatalf("load ready: %v", err)
	}
	if d := cmp.Diff(want, l.Inv); d != "" {
		w.Errorf("%s (-want +got):\n%s", want.CallID, d)
	}
	if string(l.Raw) != string(raw(want)) {
		w.Errorf("bytes of %s are %q", want.CallID, l.Raw)
	}
	return l
}

// wantNotReady checks that an invocation is not found where it was.
func (w *world) wantNotReady(inv *invocation.Invocation) {
	w.Helper()
	if l, err := w.LoadReady(at(inv)); !errors.Is(err, store.ErrNotFound) {
		w.Errorf("load ready gives %+v, %v; want ErrNotFound", l, err)
	}
}

// wantSettledNot checks that a settlement of what is gone writes nothing.
func (w *world) wantSettledNot(inv *invocation.Invocation) {
	w.Helper()
	cb := w.callback(inv)
	err := w.Settle(w.Context(), store.Settlement{At: at(inv), Outcome: invocation.OutcomeDone, Inv: inv, Callback: cb})
	if !errors.Is(err, store.ErrNotFound) {
		w.Errorf("settle gives %v, want ErrNotFound", err)
	}
	w.wantGone(cb.Inv)
}

var handover = []test{
	{"a ready invocation is loaded as it was accepted, once from memory and again from the disk", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		for range 3 {
			w.load(inv)
		}
		w.settle(inv, invocation.OutcomeDone, nil)
		w.wantNotReady(inv)
		w.wantGone(inv)
	}},
	{"a decoded request is handed over with its invocation", func(w *world) {
		inv, req := w.now("fn"), &invocation.Request{Function: "fn"}
		if err := w.try(store.Accept{Inv: inv, Raw: raw(inv), Request: req}); err != nil {
			w.Fatal(err)
		}
		if l := w.load(inv); l.Request != nil && l.Request != req {
			w.Errorf("the request is %+v", l.Request)
		}
	}},
	{"who changes what was loaded changes nothing in the store", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		for range 2 {
			l := w.load(inv)
			l.Inv.Retries, l.Inv.CallID = 7, "changed"
			l.Inv.Record(invocation.Attempt{At: w.clock.Now(), Status: 500})
			w.wantKept(inv)
		}
	}},
	{"what changes between its load and the next is loaded as it is then", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		w.load(inv)
		inv.Record(invocation.Attempt{At: w.clock.Now(), Status: 500})
		inv.Retries++
		w.later(inv, inv.Since)
		w.load(inv)
		inv.Retries++
		w.later(inv, w.clock.Now().Add(time.Second))
		w.wantNotReady(&invocation.Invocation{ID: inv.ID, Lane: inv.Lane, Since: w.clock.Now()})
		w.clock.add(time.Second)
		w.move()
		w.load(inv)
	}},
	{"what was settled without a load is not loaded as it was before", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		inv.Retries++
		w.later(inv, inv.Since)
		w.load(inv)
	}},
	{"what was cancelled before its load, or after it, is not found and not settled", func(w *world) {
		for _, loaded := range []bool{false, true} {
			inv := w.now("fn")
			w.take(inv)
			if loaded {
				w.load(inv)
			}
			if _, err := w.Cancel(w.Context(), inv.ID); err != nil {
				w.Fatal(err)
			}
			w.wantNotReady(inv)
			w.wantSettledNot(inv)
			w.wantGone(inv)
		}
	}},
	{"a purge of many reaches those that were loaded", func(w *world) {
		var all []*invocation.Invocation
		var ids []invocation.ID
		for range 20 {
			inv := w.now("fn")
			w.take(inv)
			all, ids = append(all, inv), append(ids, inv.ID)
		}
		for _, inv := range all[:10] {
			w.load(inv)
		}
		if _, err := w.Act(w.Context(), store.Batch{Verb: store.ActCancel, IDs: ids}); err != nil {
			w.Fatal(err)
		}
		for _, inv := range all {
			w.wantNotReady(inv)
			w.wantSettledNot(inv)
		}
	}},
	{"of two settlements after a load one counts", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		w.load(inv)
		w.settle(inv, invocation.OutcomeDone, nil)
		w.wantSettledNot(inv)
	}},
	{"a dead letter is not loaded, and is when it was replayed", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		w.load(inv)
		w.bury(inv)
		w.wantNotReady(inv)
		if err := w.Replay(w.Context(), inv.ID); err != nil {
			w.Fatal(err)
		}
		again, err := w.Get(inv.ID)
		if err != nil {
			w.Fatal(err)
		}
		w.load(again)
	}},
	{"what was loaded and not settled is there after a restart", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		w.load(inv)
		w.restart()
		w.load(inv)
		w.settle(inv, invocation.OutcomeDone, nil)
		w.wantGone(inv)
	}},
	{"more than memory keeps is loaded all the same", func(w *world) {
		var all []*invocation.Invocation
		answers := make(chan error, 200)
		for range 200 {
			inv := w.now("fn")
			inv.CallID = fmt.Sprintf("%s%0100000d", inv.CallID, 0)
			all = append(all, inv)
			w.Accept(store.Accept{Inv: inv, Raw: raw(inv)}, func(err error) { answers <- err })
		}
		for range all {
			if err := <-answers; err != nil {
				w.Fatal(err)
			}
		}
		for _, inv := range all {
			w.load(inv)
			w.settle(inv, invocation.OutcomeDone, nil)
		}
	}},
	{"those who cancel while others load and settle agree with them on every invocation", func(w *world) {
		const n = 400
		var cancelled, done atomic.Int64
		for range n {
			inv := w.now("fn")
			w.take(inv)
			var wg sync.WaitGroup
			wg.Go(func() {
				switch _, err := w.Cancel(w.Context(), inv.ID); {
				case err == nil:
					cancelled.Add(1)
				case !errors.Is(err, store.ErrNotFound):
					w.Error(err)
				}
			})
			wg.Go(func() {
				if _, err := w.LoadReady(at(inv)); err != nil {
					return
				}
				switch err := w.Settle(w.Context(), store.Settlement{At: at(inv), Outcome: invocation.OutcomeDone, Inv: inv}); {
				case err == nil:
					done.Add(1)
				case !errors.Is(err, store.ErrNotFound):
					w.Error(err)
				}
			})
			wg.Wait()
		}
		want := store.Stats{Accepted: n, Done: uint64(done.Load()), Dropped: uint64(cancelled.Load())} // #nosec G115 -- small
		if d := cmp.Diff(want, w.Stats()); d != "" || done.Load()+cancelled.Load() != n {
			w.Errorf("done %d, cancelled %d of %d; counts (-want +got):\n%s", done.Load(), cancelled.Load(), n, d)
		}
	}},
}
