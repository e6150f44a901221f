package storetest

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

var accepting = []test{
	{"what is accepted for now is ready at once, with its bytes", func(w *world) {
		inv := w.now("fn")
		inv.Attempts = []invocation.Attempt{{At: w.clock.Now(), Duration: time.Second, Status: 503, Cause: invocation.CauseReset}}
		inv.URL, inv.Kind, inv.Retries, inv.Origin = "http://cb/x", invocation.KindCallback, 7, invocation.NewID(start)
		w.take(inv)
		w.wantReady("fn", inv)
		w.wantKept(inv)
		if inv.Size != len(raw(inv)) {
			w.Errorf("size is %d", inv.Size)
		}
	}},
	{"what is accepted for later is ready at its time, and not a nanosecond before", func(w *world) {
		inv := w.pending("fn", w.clock.Now().Add(time.Second))
		w.take(inv)
		w.clock.add(time.Second - 1)
		w.move()
		w.wantReady("fn")
		w.clock.add(1)
		w.move()
		w.wantReady("fn", inv)
		w.wantKept(inv)
	}},
	{"what is accepted for the past keeps its place in the lane", func(w *world) {
		second := w.now("fn")
		first := w.pending("fn", w.clock.Now().Add(-time.Hour))
		w.take(second, first)
		w.wantReady("fn", first, second)
	}},
	{"what is accepted dead is in the dead set", func(w *world) {
		inv := w.now("")
		inv.State, inv.Reason, inv.DiedAt, inv.Detail = invocation.Dead, invocation.Malformed, w.clock.Now(), "not JSON"
		w.take(inv)
		w.wantReady("")
		w.wantDead(inv)
		w.wantKept(inv)
	}},
	{"a lane is ordered by time, then by id", func(w *world) {
		late := w.pending("fn", w.clock.Now().Add(-1))
		early := w.pending("fn", w.clock.Now().Add(-2))
		a, b, c := w.pending("fn", early.Since), w.pending("fn", early.Since), w.pending("fn", early.Since)
		w.take(late, c, early, b, a)
		w.wantReady("fn", early, a, b, c, late)
	}},
	{"lanes whose names begin alike are apart", func(w *world) {
		names := []string{"f", "fn", "fn.staging", "fn0", "url:fn:80", ""}
		all := map[string]*invocation.Invocation{}
		for _, name := range names {
			all[name] = w.now(name)
			w.take(all[name])
		}
		for _, name := range names {
			w.wantReady(name, all[name])
		}
		if got := len(w.Lanes()); got != len(names) {
			w.Errorf("%d lanes, want %d", got, len(names))
		}
	}},
	{"queues have lanes of their own", func(w *world) {
		inv := w.now("fn")
		inv.Lane.Queue = "other"
		w.take(inv)
		w.wantReady("fn")
		if got, err := w.Take(w.Context(), inv.Lane, store.Ready{}, 10); err != nil || len(got) != 1 {
			w.Errorf("ready in the other queue: %v, %v", got, err)
		}
	}},
	{"a lane is read from any entry on, also from one that has gone", func(w *world) {
		a, b, c := w.now("fn"), w.now("fn"), w.now("fn")
		w.take(a, b, c)
		w.settle(b, invocation.OutcomeDone, nil)
		got, err := w.Take(w.Context(), lane("fn"), at(b), 10)
		if err != nil || len(got) != 1 || got[0].ID != c.ID || !got[0].Since.Equal(c.Since) {
			w.Errorf("from the second on: %v, %v", got, err)
		}
		if got, err := w.Take(w.Context(), lane("fn"), at(c), 10); err != nil || len(got) != 0 {
			w.Errorf("from the last on: %v, %v", got, err)
		}
	}},
	{"a QueueRequest of 8 MiB comes back byte for byte, and an empty one too", func(w *world) {
		big := make([]byte, 8<<20)
		var seed [32]byte
		_, _ = rand.NewChaCha8(seed).Read(big)
		inv, none := w.now("fn"), w.now("fn")
		for _, a := range []store.Accept{{Inv: inv, Raw: big}, {Inv: none, Raw: nil}} {
			if err := w.try(a); err != nil {
				w.Fatal(err)
			}
		}
		if _, got, err := w.Load(w.Context(), inv.ID); err != nil || sha256.Sum256(got) != sha256.Sum256(big) {
			w.Errorf("the big one is another: %d bytes, %v", len(got), err)
		}
		if _, got, err := w.Load(w.Context(), none.ID); err != nil || len(got) != 0 {
			w.Errorf("the empty one is %q, %v", got, err)
		}
		if got := w.Stats().Bytes; got != 8<<20 {
			w.Errorf("%d bytes are counted", got)
		}
	}},
	{"any bytes are kept, and those that are given back are the caller's", func(w *world) {
		odd := []byte{0, 255, '\n', 0}
		inv := w.now("fn")
		if err := w.try(store.Accept{Inv: inv, Raw: odd}); err != nil {
			w.Fatal(err)
		}
		_, got, err := w.Load(w.Context(), inv.ID)
		if err != nil || !bytes.Equal(got, odd) {
			w.Fatalf("bytes are %v, %v", got, err)
		}
		clear(got)
		if _, again, _ := w.Load(w.Context(), inv.ID); !bytes.Equal(again, odd) {
			w.Error("writing over what was given back changed the store")
		}
	}},
	{"a call id finds its invocations, oldest first", func(w *world) {
		a, b, other := w.now("fn"), w.now("gn"), w.now("fn")
		a.CallID, b.CallID = "twice \x00 with odd bytes", "twice \x00 with odd bytes"
		w.take(b, a, other)
		if got, want := ids(w.stored(a.CallID, 10)), ids([]*invocation.Invocation{a, b}); !slices.Equal(got, want) {
			w.Errorf("got %v, want %v", got, want)
		}
		if got, want := ids(w.stored(a.CallID, 1)), ids([]*invocation.Invocation{a}); !slices.Equal(got, want) {
			w.Errorf("with limit 1: got %v, want %v", got, want)
		}
		if got := w.stored("never", 10); len(got) != 0 {
			w.Errorf("of an unknown call id: got %v, want none", ids(got))
		}
	}},
	{"the watcher is notified before the answer", func(w *world) {
		now, later := w.now("fn"), w.pending("fn", w.clock.Now().Add(time.Minute))
		notified := make(chan bool)
		go w.Accept(store.Accept{Inv: now, Raw: raw(now)}, func(error) {
			ready, _ := w.watcher.take()
			notified <- len(ready) == 1 && ready[0].ID == now.ID
		})
		if !<-notified {
			w.Error("the watcher hears later than the caller of what is ready")
		}
		go w.Accept(store.Accept{Inv: later, Raw: raw(later)}, func(error) {
			_, due := w.watcher.take()
			notified <- len(due) == 1 && due[0].Equal(later.Since)
		})
		if !<-notified {
			w.Error("the watcher hears of a due time later than the caller")
		}
	}},
}
