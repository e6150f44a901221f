package storetest

import (
	"errors"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// key is an idempotency key that lives for a minute.
func (w *world) key(hash, payload byte) *store.Key {
	return &store.Key{Hash: [32]byte{hash}, Payload: [32]byte{payload}, Expires: w.clock.Now().Add(time.Minute)}
}

// under accepts an invocation under a key.
func (w *world) under(inv *invocation.Invocation, k *store.Key) error {
	return w.try(store.Accept{Inv: inv, Raw: raw(inv), Key: k})
}

// wantKnown checks that err tells of an invocation that came under the same key.
func (w *world) wantKnown(err error, inv *invocation.Invocation, same bool) {
	w.Helper()
	known, ok := errors.AsType[*store.KeyError](err)
	if !ok {
		w.Errorf("error is %v, want a KeyError", err)
		return
	}
	if d := cmp.Diff(&store.KeyError{ID: inv.ID, CallID: inv.CallID, Same: same}, known); d != "" {
		w.Errorf("key (-want +got):\n%s", d)
	}
}

// sweep takes all whose time is over, and counts it.
func (w *world) sweep() (total int) {
	w.Helper()
	for {
		n, err := w.Sweep(w.Context())
		if err != nil {
			w.Fatalf("sweep: %v", err)
		}
		if n == 0 {
			return total
		}
		total += n
	}
}

var once = []test{
	{"a repetition under a key is not accepted, and gets the id of the first", func(w *world) {
		first := w.now("fn")
		if err := w.under(first, w.key(1, 1)); err != nil {
			w.Fatal(err)
		}
		w.wantKnown(w.under(w.now("fn"), w.key(1, 1)), first, true)
		w.wantKnown(w.under(w.now("fn"), w.key(1, 2)), first, false)
		if err := w.under(w.now("gn"), w.key(2, 1)); err != nil {
			w.Errorf("another key: %v", err)
		}
		w.settle(first, invocation.OutcomeDone, nil)
		w.wantKnown(w.under(w.now("fn"), w.key(1, 1)), first, true)
		w.wantReady("fn")
		if st := w.Stats(); st.Keys != 2 || st.Accepted != 2 {
			w.Errorf("counts %+v", st)
		}
	}},
	{"the same payload of another sender is not the same", func(w *world) {
		first, other := w.now("fn"), w.key(1, 1)
		other.Sender = [32]byte{1}
		if err := w.under(first, w.key(1, 1)); err != nil {
			w.Fatal(err)
		}
		w.wantKnown(w.under(w.now("fn"), other), first, false)
		w.wantKnown(w.Claim(w.Context(), *other, w.now("fn").ID, "c"), first, false)
		if err := w.Unclaim(w.Context(), *other); err != nil {
			w.Error(err)
		}
		w.wantKnown(w.under(w.now("fn"), w.key(1, 1)), first, true)
	}},
	{"a key outlives a restart", func(w *world) {
		first, other := w.now("fn"), w.key(1, 1)
		other.Sender = [32]byte{1}
		if err := w.under(first, w.key(1, 1)); err != nil {
			w.Fatal(err)
		}
		w.restart()
		w.wantKnown(w.under(w.now("fn"), w.key(1, 1)), first, true)
		w.wantKnown(w.under(w.now("fn"), other), first, false)
		if st := w.Stats(); st.Keys != 1 {
			w.Errorf("counts %+v", st)
		}
	}},
	{"a key is forgotten when it expires, swept or not, and can be used again", func(w *world) {
		for round, sweep := range []bool{false, true, false} {
			inv := w.now("fn")
			if err := w.under(inv, w.key(1, 1)); err != nil {
				w.Fatalf("round %d: %v", round, err)
			}
			w.clock.add(time.Minute - 1)
			w.wantKnown(w.under(w.now("fn"), w.key(1, 1)), inv, true)
			if n := w.sweep(); n != 0 {
				w.Errorf("%d were swept too early", n)
			}
			w.clock.add(1)
			if n := 0; sweep {
				if n = w.sweep(); n != 1 || w.Stats().Keys != 0 {
					w.Errorf("%d were swept, counts %+v", n, w.Stats())
				}
			}
		}
		if st := w.Stats(); st.Keys != 1 {
			w.Errorf("counts %+v", st)
		}
	}},
	{"of many who come under one key at once one is taken", func(w *world) {
		type answer struct {
			inv *invocation.Invocation
			err error
		}
		k := w.key(1, 1)
		answers := make(chan answer, 300)
		for range cap(answers) { // without waiting, so that they share batches
			inv := w.now("fn")
			w.Accept(store.Accept{Inv: inv, Raw: raw(inv), Key: k}, func(err error) { answers <- answer{inv, err} })
		}
		var taken []*invocation.Invocation
		var refused []error
		for range cap(answers) {
			a := <-answers
			if a.err == nil {
				taken = append(taken, a.inv)
				continue
			}
			refused = append(refused, a.err)
		}
		if len(taken) != 1 {
			w.Fatalf("%d were taken", len(taken))
		}
		for _, err := range refused {
			w.wantKnown(err, taken[0], true)
		}
		w.wantReady("fn", taken...)
	}},
	{"who publishes claims a key, and gives it back when that went wrong", func(w *world) {
		inv := w.now("fn")
		k := w.key(1, 1)
		claim := func() error { return w.Claim(w.Context(), *k, inv.ID, inv.CallID) }
		if err := claim(); err != nil {
			w.Fatal(err)
		}
		w.wantKnown(claim(), inv, true)
		w.wantKnown(w.under(w.now("fn"), w.key(1, 2)), inv, false)
		other := *k
		other.Expires = other.Expires.Add(1)
		if err := w.Unclaim(w.Context(), other); err != nil {
			w.Fatal(err)
		}
		w.wantKnown(claim(), inv, true) // it was somebody else's
		for range 2 {
			if err := w.Unclaim(w.Context(), *k); err != nil {
				w.Fatal(err)
			}
		}
		if err := claim(); err != nil {
			w.Errorf("after it was given back: %v", err)
		}
		if st := w.Stats(); st.Keys != 1 || st.Accepted != 0 {
			w.Errorf("counts %+v", st)
		}
	}},
	{"what is refused for its source leaves its key alone, and the other way round", func(w *world) {
		d := store.Source{Cluster: "c", Channel: "ch", Sequence: 1, Timestamp: 1}
		first := w.now("fn")
		if err := w.try(store.Accept{Inv: first, Raw: raw(first), Source: &d, Key: w.key(1, 1)}); err != nil {
			w.Fatal(err)
		}
		again := w.now("fn")
		if err := w.try(store.Accept{Inv: again, Raw: raw(again), Source: &d, Key: w.key(2, 1)}); !errors.Is(err, store.ErrSeen) {
			w.Errorf("from the same source: %v", err)
		}
		if err := w.under(w.now("fn"), w.key(2, 1)); err != nil {
			w.Errorf("its key: %v", err)
		}
		d.Sequence = 2
		w.wantKnown(w.try(store.Accept{Inv: again, Raw: raw(again), Source: &d, Key: w.key(1, 1)}), first, true)
		if err := w.try(store.Accept{Inv: again, Raw: raw(again), Source: &d}); err != nil {
			w.Errorf("its source: %v", err)
		}
	}},
	{"an id that is there already is not taken again, but again after it has left", func(w *world) {
		inv := w.kill(1)[0]
		a := store.Accept{Inv: inv, Raw: raw(inv), Once: true}
		if err := w.try(a); !errors.Is(err, store.ErrSeen) {
			w.Errorf("a dead one: %v, want ErrSeen", err)
		}
		if err := w.Replay(w.Context(), inv.ID); err != nil {
			w.Fatal(err)
		}
		if err := w.try(a); !errors.Is(err, store.ErrSeen) {
			w.Errorf("a ready one: %v, want ErrSeen", err)
		}
		if _, err := w.Cancel(w.Context(), inv.ID); err != nil {
			w.Fatal(err)
		}
		if err := w.try(a); err != nil {
			w.Errorf("one that has left: %v", err)
		}
		w.wantDead(inv)
		w.wantKept(inv)
	}},
	{"of many who bring the same invocation one succeeds", func(w *world) {
		inv := w.now("fn")
		results := make(chan error, 10)
		for range cap(results) {
			mine := *inv
			w.Accept(store.Accept{Inv: &mine, Raw: raw(inv), Once: true}, func(err error) { results <- err })
		}
		taken := 0
		for range cap(results) {
			switch err := <-results; {
			case err == nil:
				taken++
			case !errors.Is(err, store.ErrSeen):
				w.Errorf("error is %v, want ErrSeen", err)
			}
		}
		if taken != 1 {
			w.Errorf("%d were taken", taken)
		}
		w.wantReady("fn", inv)
	}},
	{"many keys are swept in bounded steps, and only expired ones", func(w *world) {
		const n = 1500
		var wg sync.WaitGroup
		wg.Add(n)
		for i := range n {
			inv := w.now("fn")
			k := &store.Key{Hash: [32]byte{byte(i), byte(i >> 8)}, Expires: w.clock.Now().Add(time.Duration(i) * time.Second)}
			w.Accept(store.Accept{Inv: inv, Raw: raw(inv), Key: k}, func(err error) {
				if err != nil {
					w.Error(err)
				}
				wg.Done()
			})
		}
		wg.Wait()
		w.clock.add(1200 * time.Second)
		first, err := w.Sweep(w.Context())
		if rest := w.sweep(); err != nil || first != 1000 || rest != 201 {
			w.Errorf("%d and %d were swept, %v", first, rest, err)
		}
		if st := w.Stats(); st.Keys != n-1201 {
			w.Errorf("counts %+v", st)
		}
		if err := w.under(w.now("fn"), &store.Key{Hash: [32]byte{9, 9}, Expires: w.clock.Now().Add(-time.Hour)}); err != nil {
			w.Fatal(err)
		}
		if n := w.sweep(); n != 1 {
			w.Errorf("%d that had expired before were swept", n)
		}
	}},
}
