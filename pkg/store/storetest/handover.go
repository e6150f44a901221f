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
	l, err := w.LoadReady(w.Context(), at(want))
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
	if l, err := w.LoadReady(w.Context(), at(inv)); !errors.Is(err, store.ErrNotFound) {
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

// takeMany accepts n invocations of three functions.
func (w *world) takeMany(n int) (all []*invocation.Invocation) {
	w.Helper()
	for i := range n {
		all = append(all, w.now(fmt.Sprint("fn-", i%3)))
	}
	w.take(all...)
	return all
}

// loadNear loads an invocation and changes those after it in every way before their loads.
func (w *world) loadNear() {
	w.Helper()
	all := w.takeMany(8)
	first, cancelled, bulk, done, retried, moved, buried, plain := all[0], all[1], all[2], all[3], all[4], all[5], all[6], all[7]
	due := w.pending("fn-0", w.clock.Now().Add(time.Second))
	w.take(due)
	w.load(first)
	_, err := w.Cancel(w.Context(), cancelled.ID)
	_, bulkErr := w.Act(w.Context(), store.Batch{Verb: store.ActCancel, IDs: []invocation.ID{bulk.ID}})
	if err := errors.Join(err, bulkErr); err != nil {
		w.Fatal(err)
	}
	was := *moved
	w.settle(done, invocation.OutcomeDone, nil)
	retried.Retries++
	w.later(retried, retried.Since)
	w.later(moved, w.clock.Now().Add(time.Second))
	w.bury(buried)
	for _, gone := range []*invocation.Invocation{cancelled, bulk, done, &was, buried} {
		w.wantNotReady(gone)
		w.wantSettledNot(gone)
	}
	w.load(retried)
	w.load(plain)
	plain.Retries++
	w.later(plain, plain.Since)
	w.clock.add(time.Second)
	w.move()
	for _, inv := range []*invocation.Invocation{first, retried, moved, plain, due} {
		w.load(inv)
		w.settle(inv, invocation.OutcomeDone, nil)
	}
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
		again, err := w.Get(w.Context(), inv.ID)
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
	{"invocations near one that was loaded are loaded as they are by then", func(w *world) {
		for range 3 {
			w.loadNear()
		}
	}},
	{"invocations near one that was loaded are there after a restart", func(w *world) {
		all := w.takeMany(6)
		w.load(all[0])
		if _, err := w.Cancel(w.Context(), all[1].ID); err != nil {
			w.Fatal(err)
		}
		w.restart()
		w.wantNotReady(all[1])
		for _, inv := range append(all[:1:1], all[2:]...) {
			w.load(inv)
			w.settle(inv, invocation.OutcomeDone, nil)
		}
	}},
	{"lanes in turn are loaded from what was accepted together", func(w *world) {
		all := w.takeMany(300)
		for i := range 3 {
			for j := i; j < len(all); j += 3 {
				w.load(all[j])
				w.settle(all[j], invocation.OutcomeDone, nil)
				w.wantNotReady(all[j])
			}
		}
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
				if _, err := w.LoadReady(w.Context(), at(inv)); err != nil {
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
