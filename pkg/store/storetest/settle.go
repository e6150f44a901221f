package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// callback makes the callback of an invocation.
func (w *world) callback(of *invocation.Invocation) *store.Accept {
	inv := w.now("url:cb:80")
	inv.Kind, inv.URL, inv.Origin = invocation.KindCallback, "http://cb/", of.ID
	return &store.Accept{Inv: inv, Raw: raw(inv)}
}

var settling = []test{
	{"what is done leaves nothing behind", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		w.settle(inv, invocation.OutcomeDone, nil)
		w.wantGone(inv)
		w.wantReady("fn")
		if d := cmp.Diff(store.Stats{Accepted: 1, Done: 1}, w.Stats()); d != "" {
			w.Errorf("counts (-want +got):\n%s", d)
		}
		if lanes := w.Lanes(); len(lanes) != 0 {
			w.Errorf("lanes are left: %v", lanes)
		}
	}},
	{"what is dropped leaves nothing behind, and is counted apart", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		w.settle(inv, invocation.OutcomeDropped, nil)
		w.wantGone(inv)
		if d := cmp.Diff(store.Stats{Accepted: 1, Dropped: 1}, w.Stats()); d != "" {
			w.Errorf("counts (-want +got):\n%s", d)
		}
	}},
	{"what is to be retried waits for its time, with its history", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		for n := range 3 {
			inv.Record(invocation.Attempt{At: w.clock.Now(), Duration: time.Second, Status: 500 + n})
			inv.Retries++
			w.later(inv, w.clock.Now().Add(time.Minute))
			w.move()
			w.wantReady("fn")
			w.wantKept(inv)
			w.clock.add(time.Minute)
			w.move()
			w.wantReady("fn", inv)
			w.wantKept(inv)
		}
	}},
	{"a retry without a wait is ready at once, also at the very place where it stood", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		for range 3 {
			w.later(inv, inv.Since)
			w.wantReady("fn", inv)
		}
		w.settle(inv, invocation.OutcomeDone, nil)
		w.wantReady("fn")
		w.wantGone(inv)
	}},
	{"what is given up is in the dead set, with its reason and every attempt", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		for range invocation.MaxHistory + 10 {
			inv.Record(invocation.Attempt{At: w.clock.Now(), Duration: time.Second, Status: 500, Cause: invocation.CauseTimeout})
		}
		inv.Detail = "it said no"
		w.bury(inv)
		w.wantReady("fn")
		w.wantDead(inv)
		w.wantKept(inv)
		if d := cmp.Diff(inv, w.dead()[0]); d != "" {
			w.Errorf("listed (-want +got):\n%s", d)
		}
	}},
	{"a callback is written with the settlement, whatever the outcome", func(w *world) {
		for _, v := range invocation.Outcomes() {
			inv := w.now("fn")
			w.take(inv)
			here := at(inv)
			if inv.Reason = invocation.NonRetryable; v == invocation.OutcomeRetry {
				inv.Reason, inv.Since = "", w.clock.Now().Add(time.Hour)
			} else {
				inv.DiedAt = w.clock.Now()
			}
			cb := w.callback(inv)
			if err := w.Settle(w.Context(), store.Settlement{At: here, Outcome: v, Inv: inv, Callback: cb}); err != nil {
				w.Fatal(err)
			}
			w.wantReady("url:cb:80", cb.Inv)
			w.wantKept(cb.Inv)
			w.settle(cb.Inv, invocation.OutcomeDone, nil)
		}
	}},
	{"a callback may be for later, or dead at once", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		later := w.callback(inv)
		later.Inv.Since = w.clock.Now().Add(time.Second)
		w.settle(inv, invocation.OutcomeDone, later)
		w.wantReady("url:cb:80")
		w.clock.add(time.Second)
		w.move()
		w.wantReady("url:cb:80", later.Inv)

		inv = w.now("fn")
		w.take(inv)
		dead := w.callback(inv)
		dead.Inv.State, dead.Inv.Reason, dead.Inv.DiedAt = invocation.Dead, invocation.CallbackRefused, w.clock.Now()
		w.settle(inv, invocation.OutcomeDone, dead)
		w.wantDead(dead.Inv)
	}},
	{"what is not where the settlement says is left alone, and so is its callback", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		other := *inv
		other.Since = inv.Since.Add(-1)
		cb := w.callback(inv)
		for _, v := range invocation.Outcomes() {
			next := *inv
			err := w.Settle(w.Context(), store.Settlement{At: at(&other), Outcome: v, Inv: &next, Callback: cb})
			if !errors.Is(err, store.ErrNotFound) {
				w.Errorf("outcome %s gives %v, want ErrNotFound", v, err)
			}
		}
		w.wantReady("fn", inv)
		w.wantKept(inv)
		w.wantGone(cb.Inv)
		w.settle(inv, invocation.OutcomeDone, nil)
		err := w.Settle(w.Context(), store.Settlement{At: at(inv), Outcome: invocation.OutcomeDone, Inv: inv, Callback: cb})
		if !errors.Is(err, store.ErrNotFound) {
			w.Errorf("settled twice: %v, want ErrNotFound", err)
		}
		w.wantGone(cb.Inv)
	}},
	{"of many settlements of one invocation one counts", func(w *world) {
		for range 20 {
			inv := w.now("fn")
			w.take(inv)
			var counted atomic.Int32
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					err := w.Settle(w.Context(), store.Settlement{At: at(inv), Outcome: invocation.OutcomeDone, Inv: inv})
					if err == nil {
						counted.Add(1)
					} else if !errors.Is(err, store.ErrNotFound) {
						w.Errorf("settle: %v", err)
					}
				})
			}
			wg.Wait()
			if counted.Load() != 1 {
				w.Fatalf("%d settlements counted", counted.Load())
			}
		}
	}},
	{"every state outlives a restart", func(w *world) {
		ready, delayed, dead, done := w.now("fn"), w.now("fn"), w.now("fn"), w.now("fn")
		w.take(ready, delayed, dead, done)
		delayed.Record(invocation.Attempt{At: w.clock.Now(), Status: 500})
		w.later(delayed, w.clock.Now().Add(time.Hour))
		w.bury(dead)
		w.settle(done, invocation.OutcomeDone, nil)
		w.restart()
		w.wantReady("fn", ready)
		w.wantDead(dead)
		w.wantGone(done)
		for _, inv := range []*invocation.Invocation{ready, delayed, dead} {
			w.wantKept(inv)
		}
		if got := w.NextDue(); !got.Equal(delayed.Since) {
			w.Errorf("next due is %v, want %v", got, delayed.Since)
		}
		w.clock.add(time.Hour)
		w.move()
		w.wantReady("fn", ready, delayed)
	}},
}
