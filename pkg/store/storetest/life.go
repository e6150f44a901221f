package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

var life = []test{
	{"a new store is empty and well", func(w *world) {
		if d := cmp.Diff(store.Stats{}, w.Stats()); d != "" {
			w.Errorf("counts (-want +got):\n%s", d)
		}
		for name, f := range map[string]func() error{"Err": w.Err, "Full": w.Full, "Health": w.Health, "Failed": w.Store.Failed} {
			if err := f(); err != nil {
				w.Errorf("%s is %v", name, err)
			}
		}
		if w.Durable() != w.durable {
			w.Errorf("durable is %v", w.Durable())
		}
		w.wantDead()
		w.wantReady("fn")
	}},
	{"what is not there is not found", func(w *world) {
		id := invocation.NewID(start)
		if _, err := w.Get(w.Context(), id); !errors.Is(err, store.ErrNotFound) {
			w.Errorf("get gives %v", err)
		}
		if _, _, err := w.Load(w.Context(), id); !errors.Is(err, store.ErrNotFound) {
			w.Errorf("load gives %v", err)
		}
	}},
	{"the counts of lanes follow what happens in them", func(w *world) {
		a, b, c := w.now("fn"), w.pending("fn", w.clock.Now().Add(time.Minute)), w.now("gn")
		w.take(a, b, c)
		w.bury(a)
		want := map[invocation.Lane]store.LaneStats{lane("fn"): {Delayed: 1, Dead: 1, DeadBytes: int64(a.Size)}, lane("gn"): {Ready: 1}}
		if d := cmp.Diff(want, w.Lanes()); d != "" {
			w.Errorf("lanes (-want +got):\n%s", d)
		}
		w.settle(c, invocation.OutcomeDone, nil)
		delete(want, lane("gn"))
		if d := cmp.Diff(want, w.Lanes()); d != "" {
			w.Errorf("lanes (-want +got):\n%s", d)
		}
	}},
	{"after a restart the counts are those of what is there", func(w *world) {
		a, b, c, d := w.now("fn"), w.pending("gn", w.clock.Now().Add(time.Minute)), w.now("hn"), w.now("hn")
		w.take(a, b, c, d)
		w.bury(c)
		w.settle(d, invocation.OutcomeDone, nil)
		lanes, before := w.Lanes(), w.Stats()
		w.restart()
		want := store.Stats{AtStart: 3, Ready: 1, Delayed: 1, Dead: 1, Bytes: before.Bytes, DeadBytes: before.DeadBytes}
		if d := cmp.Diff(want, w.Stats()); d != "" {
			w.Errorf("counts (-want +got):\n%s", d)
		}
		if d := cmp.Diff(lanes, w.Lanes()); d != "" {
			w.Errorf("lanes (-before +after):\n%s", d)
		}
	}},
	{"a settlement whose caller has gone is carried out or not, but not by half", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		cb := w.callback(inv)
		next := *inv
		err := w.Settle(ctx, store.Settlement{At: at(inv), Outcome: invocation.OutcomeDone, Inv: &next, Callback: cb})
		if err != nil && !errors.Is(err, context.Canceled) {
			w.Fatalf("settle: %v", err)
		}
		w.take(w.now("other")) // comes after it, if it was taken
		if _, err := w.Get(w.Context(), inv.ID); err == nil {
			w.wantGone(cb.Inv)
		} else {
			w.wantKept(cb.Inv)
		}
	}},
	{"a closed store says so, and does not panic", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		if err := w.Close(); err != nil {
			w.Fatal(err)
		}
		ctx := w.Context()
		for name, f := range map[string]func() error{
			"accept": func() error { return w.try(store.Accept{Inv: w.now("fn"), Raw: raw(inv)}) },
			"settle": func() error {
				return w.Settle(ctx, store.Settlement{At: at(inv), Outcome: invocation.OutcomeDone, Inv: inv})
			},
			"next ready": func() error { _, err := w.Take(context.Background(), lane("fn"), store.Ready{}, 1); return err },
			"load":       func() error { _, _, err := w.Load(context.Background(), inv.ID); return err },
			"get":        func() error { _, err := w.Get(context.Background(), inv.ID); return err },
			"find call":  func() error { _, _, err := w.FindCall(context.Background(), "c", 1); return err },
			"move due":   func() error { _, err := w.MoveDue(ctx); return err },
			"letters":    func() error { _, err := w.Letters(ctx, store.Filter{}, "", 1); return err },
			"groups":     func() error { _, err := w.Groups(ctx, store.Filter{}); return err },
			"pending":    func() error { _, _, err := w.Pending(ctx, store.PendingFilter{}, "", 1); return err },
			"act":        func() error { _, err := w.Act(ctx, store.Batch{IDs: []invocation.ID{inv.ID}}); return err },
			"cancel":     func() error { _, err := w.Cancel(ctx, inv.ID); return err },
			"claim":      func() error { return w.Claim(ctx, store.Key{}, inv.ID, "") },
			"unclaim":    func() error { return w.Unclaim(ctx, store.Key{}) },
			"result":     func() error { _, err := w.Result(context.Background(), inv.ID, true); return err },
			"sweep":      func() error { _, err := w.Sweep(ctx); return err },
			"put note":   func() error { return w.PutNote(ctx, store.Note{Name: "n"}) },
			"replay":     func() error { return w.Replay(ctx, inv.ID) },
			"drop":       func() error { return w.Drop(ctx, inv.ID) },
			"expire":     func() error { _, err := w.Expire(ctx, store.Bounds{MaxAge: 1}); return err },
		} {
			if err := f(); !errors.Is(err, store.ErrClosed) {
				w.Errorf("%s gives %v, want ErrClosed", name, err)
			}
		}
		if st := w.Stats(); st.Ready != 1 {
			w.Errorf("counts %+v", st)
		}
		_, _, _ = w.Lanes(), w.NextDue(), w.Notes("")
		if _, ok := w.Oldest(w.Context(), lane("fn")); ok {
			w.Error("the oldest of a lane is known")
		}
	}},
	{"Close may be called again", func(w *world) {
		for range 3 {
			if err := w.Close(); err != nil {
				w.Error(err)
			}
		}
	}},
	{"what was submitted before Close is carried out", func(w *world) {
		if !w.durable {
			w.Skip("keeps nothing over a restart")
		}
		const n = 200
		answers := make(chan error, n)
		for range n {
			inv := w.now("fn")
			w.Accept(store.Accept{Inv: inv, Raw: raw(inv)}, func(err error) { answers <- err })
		}
		w.restart()
		for range n {
			if err := <-answers; err != nil {
				w.Errorf("accept: %v", err)
			}
		}
		if got := len(w.ready("fn")); got != n {
			w.Errorf("%d are there", got)
		}
	}},
}
