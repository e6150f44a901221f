package storetest

import (
	"errors"
	"sync"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// minimum is how long a source is known at least.
const minimum = 10 * time.Minute

// through accepts a new invocation from a source.
func (w *world) through(d store.Source) error {
	inv := w.now("fn")
	return w.try(store.Accept{Inv: inv, Raw: raw(inv), Source: &d})
}

// enter is through for a source that must not be known.
func (w *world) enter(d store.Source) {
	w.Helper()
	if err := w.through(d); err != nil {
		w.Errorf("%+v gives %v, it was never seen", d, err)
	}
}

// wantSeen checks that a source is known.
func (w *world) wantSeen(d store.Source) {
	w.Helper()
	if err := w.through(d); !errors.Is(err, store.ErrSeen) {
		w.Errorf("%+v gives %v, want ErrSeen", d, err)
	}
}

var somewhere = store.Source{Cluster: "faas-cluster", Channel: "faas-request", Sequence: 7, Timestamp: 1_772_000_000_000_000_000}

var sources = []test{
	{"a message that comes again is seen, and nothing of it is kept", func(w *world) {
		w.enter(somewhere)
		before := w.Stats()
		w.wantSeen(somewhere)
		if after := w.Stats(); after != before {
			w.Errorf("counts were %+v, are %+v", before, after)
		}
		if n := len(w.ready("fn")); n != 1 {
			w.Errorf("%d are ready", n)
		}
	}},
	{"another cluster, channel, sequence or time is another message", func(w *world) {
		w.enter(somewhere)
		for _, change := range []func(*store.Source){
			func(d *store.Source) { d.Cluster += "x" },
			func(d *store.Source) { d.Channel += "x" },
			func(d *store.Source) { d.Sequence++ },
			func(d *store.Source) { d.Timestamp++ },
			func(d *store.Source) { d.Cluster, d.Channel = d.Cluster+d.Channel[:1], d.Channel[1:] },
		} {
			d := somewhere
			change(&d)
			w.enter(d)
			w.wantSeen(d)
		}
	}},
	{"a server without a memory begins again at sequence 1, and is not seen", func(w *world) {
		for restart := range int64(3) {
			for seq := range uint64(3) {
				w.enter(store.Source{Cluster: "c", Channel: "ch", Sequence: seq + 1, Timestamp: 1000*restart + int64(seq)}) // #nosec G115 -- small
			}
		}
	}},
	{"what came without a source is never seen", func(w *world) {
		a, b := w.now("fn"), w.now("fn")
		w.take(a, b)
		w.wantReady("fn", a, b)
	}},
	{"a message is seen for ten minutes, whenever it came", func(w *world) {
		for seq := range uint64(25) { // the clock goes over every part of a generation
			d := store.Source{Cluster: "c", Channel: "ch", Sequence: seq}
			w.enter(d)
			w.clock.add(minimum - time.Nanosecond)
			w.wantSeen(d)
			w.clock.add(30 * time.Second)
		}
	}},
	{"a server that was away for a day delivers again what is still known", func(w *world) {
		source := func(seq uint64) store.Source {
			return store.Source{Cluster: "c", Channel: "ch", Sequence: seq, Timestamp: int64(seq)} // #nosec G115 -- small
		}
		for seq := range uint64(5) {
			w.enter(source(seq))
		}
		w.clock.add(24 * time.Hour)
		for seq := range uint64(5) {
			w.wantSeen(source(seq))
		}
		w.enter(source(5))
		for seq := range uint64(6) {
			w.wantSeen(source(seq))
		}
	}},
	{"a message that comes late, after younger ones, is taken once", func(w *world) {
		for _, seq := range []int64{9, 3, 7, 1} {
			d := store.Source{Cluster: "c", Channel: "ch", Sequence: uint64(seq), Timestamp: seq} // #nosec G115 -- small
			w.enter(d)
			w.wantSeen(d)
			w.restart()
			w.wantSeen(d)
		}
	}},
	{"a message is seen after a restart", func(w *world) {
		w.enter(somewhere)
		w.restart()
		w.wantSeen(somewhere)
		w.clock.add(minimum - time.Nanosecond)
		w.wantSeen(somewhere)
		w.restart()
		w.wantSeen(somewhere)
	}},
	{"a message is seen when its invocation is long settled", func(w *world) {
		inv := w.now("fn")
		if err := w.try(store.Accept{Inv: inv, Raw: raw(inv), Source: &somewhere}); err != nil {
			w.Fatal(err)
		}
		w.settle(inv, invocation.OutcomeDone, nil)
		w.wantSeen(somewhere)
	}},
	{"of many from one source one is taken, and it is there when the others hear that it was seen", func(w *world) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		taken := 0
		for range 8 {
			inv := w.now("fn")
			wg.Go(func() {
				for range 20 {
					again := *inv
					again.ID = invocation.NewID(w.clock.Now())
					err := w.try(store.Accept{Inv: &again, Raw: raw(&again), Source: &somewhere})
					switch {
					case err == nil:
						mu.Lock()
						taken++
						mu.Unlock()
					case !errors.Is(err, store.ErrSeen):
						w.Errorf("accept: %v", err)
					case w.Stats().Ready != 1:
						w.Errorf("seen, but %d are ready", w.Stats().Ready)
					}
				}
			})
		}
		wg.Wait()
		if taken != 1 {
			w.Errorf("%d were taken", taken)
		}
	}},
}
