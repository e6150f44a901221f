package storetest

import (
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

var fallingDue = []test{
	{"with nothing delayed nothing falls due for a century", func(w *world) {
		w.take(w.now("fn"))
		if got := w.NextDue(); got.Before(start.AddDate(100, 0, 0)) {
			w.Errorf("next due is %v", got)
		}
		if more, err := w.MoveDue(w.Context()); more || err != nil {
			w.Errorf("moved something: %v, %v", more, err)
		}
	}},
	{"the next due time is that of the earliest, and the watcher hears of earlier ones", func(w *world) {
		in := func(d time.Duration) *invocation.Invocation { return w.pending("fn", w.clock.Now().Add(d)) }
		hour, minute, second := in(time.Hour), in(time.Minute), in(time.Second)
		w.take(hour, minute, in(2*time.Minute), second)
		if got := w.NextDue(); !got.Equal(second.Since) {
			w.Errorf("next due is %v, want %v", got, second.Since)
		}
		_, notified := w.watcher.take()
		want := []*invocation.Invocation{hour, minute, second}
		if len(notified) != len(want) {
			w.Fatalf("notified of %v", notified)
		}
		for i, inv := range want {
			if !notified[i].Equal(inv.Since) {
				w.Errorf("notified of %v, want %v", notified[i], inv.Since)
			}
		}
	}},
	{"what falls due becomes ready in the order of its times, each lane for itself", func(w *world) {
		t := w.clock.Now()
		c, a, b := w.pending("fn", t.Add(3*time.Second)), w.pending("fn", t.Add(time.Second)), w.pending("fn", t.Add(2*time.Second))
		g := w.pending("gn", t.Add(time.Second))
		w.take(c, g, a, b)
		w.watcher.take()
		w.clock.add(3 * time.Second)
		w.move()
		w.wantReady("fn", a, b, c)
		w.wantReady("gn", g)
		if notified, _ := w.watcher.take(); len(notified) != 4 {
			w.Errorf("the watcher heard of %d", len(notified))
		}
		if st := w.Lanes()[lane("fn")]; st != (store.LaneStats{Ready: 3}) {
			w.Errorf("lane counts %+v", st)
		}
	}},
	{"what is delayed later, for earlier than what has been moved, is found", func(w *world) {
		late := w.pending("fn", w.clock.Now().Add(time.Hour))
		w.take(late)
		w.clock.add(time.Hour)
		w.move()
		w.clock.add(-time.Hour) // somebody sets the clock
		early := w.pending("fn", w.clock.Now().Add(time.Second))
		w.take(early)
		if got := w.NextDue(); !got.Equal(early.Since) {
			w.Errorf("next due is %v, want %v", got, early.Since)
		}
		w.move()
		w.wantReady("fn", late)
		w.clock.add(time.Second)
		w.move()
		w.wantReady("fn", early, late)
	}},
	{"a clock that is set back delays, and calls nothing early", func(w *world) {
		inv := w.pending("fn", w.clock.Now().Add(time.Minute))
		w.take(inv)
		w.clock.add(-time.Hour)
		w.clock.add(time.Minute)
		w.move()
		w.wantReady("fn")
		w.clock.add(time.Hour)
		w.move()
		w.wantReady("fn", inv)
	}},
	{"the same due time may come again and again", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		due := w.clock.Now().Add(time.Minute)
		for range 4 {
			w.later(inv, due)
			w.clock.add(time.Minute)
			w.move()
			w.wantReady("fn", inv)
			w.clock.add(-time.Minute)
		}
		w.settle(inv, invocation.OutcomeDone, nil)
		w.clock.add(time.Hour)
		w.move()
		w.wantReady("fn")
		w.wantGone(inv)
	}},
	{"many that fall due at once are moved in steps, and each once", func(w *world) {
		const n = 2500
		due := w.clock.Now().Add(time.Second)
		answers := make(chan error, n)
		for range n {
			inv := w.pending("fn", due)
			w.Accept(store.Accept{Inv: inv, Raw: raw(inv)}, func(err error) { answers <- err })
		}
		for range n {
			if err := <-answers; err != nil {
				w.Fatal(err)
			}
		}
		w.clock.add(time.Second)
		steps := 0
		for more := true; more; steps++ {
			before := w.Stats()
			var err error
			if more, err = w.MoveDue(w.Context()); err != nil {
				w.Fatal(err)
			}
			moved := before.Delayed - w.Stats().Delayed
			if more && moved == 0 {
				w.Fatal("a step moved nothing")
			}
			if moved > n/2 {
				w.Errorf("a step moved %d", moved)
			}
		}
		if st := w.Stats(); st.Ready != n || st.Delayed != 0 {
			w.Errorf("after %d steps %+v", steps, st)
		}
		if notified, _ := w.watcher.take(); len(notified) != n {
			w.Errorf("the watcher heard of %d", len(notified))
		}
	}},
}
