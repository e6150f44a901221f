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

// act carries out a batch that must not be refused.
func (w *world) act(b store.Batch) []store.Taken {
	w.Helper()
	taken, err := w.Act(w.Context(), b)
	if err != nil {
		w.Fatalf("act: %v", err)
	}
	return taken
}

func idsOf(all ...*invocation.Invocation) []invocation.ID {
	var out []invocation.ID
	for _, inv := range all {
		out = append(out, inv.ID)
	}
	return out
}

// wantTaken checks which of a batch succeeded; the others must not be found.
func (w *world) wantTaken(taken []store.Taken, want ...bool) {
	w.Helper()
	if len(taken) != len(want) {
		w.Fatalf("%d are reported, want %d", len(taken), len(want))
	}
	for n, x := range taken {
		switch {
		case want[n] && (x.Err != nil || x.Inv == nil || x.Inv.ID != x.ID):
			w.Errorf("number %d: %+v", n, x)
		case !want[n] && (!errors.Is(x.Err, store.ErrNotFound) || x.Inv != nil):
			w.Errorf("number %d: %+v, want ErrNotFound", n, x)
		}
	}
}

var acts = []test{
	{"many letters are replayed in one batch, each once", func(w *world) {
		all := w.kill(4)
		ready := w.now("fn")
		w.take(ready)
		stranger := w.pending("fn", start)
		w.watcher.take()
		w.clock.add(time.Minute)
		taken := w.act(store.Batch{Verb: store.ActReplay, IDs: idsOf(all[2], all[0], all[2], ready, stranger, all[1])})
		w.wantTaken(taken, true, true, false, false, true)
		w.wantDead(all[3])
		if notified, _ := w.watcher.take(); len(notified) != 3 {
			w.Errorf("the watcher got %v", notified)
		}
		for n, i := range []int{0, 1, 4} {
			w.wantKept(taken[i].Inv)
			if inv := taken[i].Inv; inv.State != invocation.Pending || inv.Replays != 1 || !inv.Since.Equal(w.clock.Now()) {
				w.Errorf("number %d is %+v", n, inv)
			}
		}
	}},
	{"many letters are dropped in one batch", func(w *world) {
		all := w.kill(3)
		taken := w.act(store.Batch{Verb: store.ActDrop, IDs: idsOf(all[0], all[2])})
		w.wantTaken(taken, true, true)
		if d := cmp.Diff(of(all, 0, 2), []*invocation.Invocation{taken[0].Inv, taken[1].Inv}); d != "" {
			w.Errorf("taken (-want +got):\n%s", d)
		}
		w.wantDead(all[1])
		w.wantGone(all[0])
		if st := w.Stats(); st.Dropped != 2 {
			w.Errorf("counts %+v", st)
		}
	}},
	{"a letter that died again since it was read is left alone", func(w *world) {
		all := w.kill(2)
		w.clock.add(time.Minute)
		read := w.clock.Now()
		w.wantTaken(w.act(store.Batch{Verb: store.ActReplay, IDs: idsOf(all[0]), Before: read}), true)
		again, err := w.Get(w.Context(), all[0].ID)
		if err != nil {
			w.Fatal(err)
		}
		w.bury(again)
		for _, verb := range []store.Verb{store.ActReplay, store.ActDrop} {
			w.wantTaken(w.act(store.Batch{Verb: verb, IDs: idsOf(all[0]), Before: read}), false)
		}
		w.wantTaken(w.act(store.Batch{Verb: store.ActDrop, IDs: idsOf(all[0], all[1]), Before: read.Add(1)}), true, true)
	}},
	{"what is pending is cancelled in one batch, but not what is excepted", func(w *world) {
		ready, held, delayed := w.now("fn"), w.now("fn"), w.pending("gn", w.clock.Now().Add(time.Hour))
		w.take(ready, held, delayed)
		dead := w.kill(1)[0]
		taken := w.act(store.Batch{
			Verb: store.ActCancel, IDs: idsOf(ready, held, delayed, dead),
			Except: func(id invocation.ID) bool { return id == held.ID },
		})
		w.wantTaken(taken, true, false, true, false)
		w.wantGone(ready)
		w.wantGone(delayed)
		w.wantReady("fn", held)
		w.wantDead(dead)
		if st := w.Stats(); st.Dropped != 2 || st.Ready != 1 || st.Delayed != 0 || st.Dead != 1 {
			w.Errorf("counts %+v", st)
		}
	}},
	{"an act writes its note, whatever becomes of its ids", func(w *world) {
		inv := w.kill(1)[0]
		b := store.Batch{Verb: store.ActReplay, IDs: idsOf(inv), Note: &store.Note{Name: "job/1", Value: []byte("one")}}
		w.act(b)
		b.Note.Value = []byte("two")
		w.wantTaken(w.act(b), false)
		if d := cmp.Diff(map[string][]byte{"job/1": []byte("two")}, w.Notes("")); d != "" {
			w.Errorf("notes (-want +got):\n%s", d)
		}
		b.Note.Value, b.IDs = nil, nil
		w.act(b)
		if n := w.Notes(""); len(n) != 0 {
			w.Errorf("notes are %v", n)
		}
	}},
	{"an act whose note is refused does nothing", func(w *world) {
		inv := w.kill(1)[0]
		_, err := w.Act(w.Context(), store.Batch{
			Verb: store.ActDrop, IDs: idsOf(inv), Note: &store.Note{Name: "n", Value: make([]byte, store.MaxNote+1)},
		})
		if !errors.Is(err, store.ErrNote) {
			w.Errorf("error is %v, want ErrNote", err)
		}
		w.wantDead(inv)
	}},
	{"more ids than a batch may have are refused", func(w *world) {
		if _, err := w.Act(w.Context(), store.Batch{IDs: make([]invocation.ID, store.MaxActs+1)}); err == nil {
			w.Error("they are taken")
		}
		inv := w.kill(1)[0]
		many := make([]invocation.ID, store.MaxActs)
		many[store.MaxActs-1] = inv.ID
		w.wantTaken(w.act(store.Batch{Verb: store.ActDrop, IDs: many}), false, true)
	}},
	{"of many batches with the same letters each letter is in one", func(w *world) {
		all := idsOf(w.kill(20)...)
		var won atomic.Int32
		var wg sync.WaitGroup
		for n := range 6 {
			wg.Go(func() {
				taken, err := w.Act(w.Context(), store.Batch{Verb: store.Verb(n % 2), IDs: all[n : n+15]})
				if err != nil {
					w.Error(err)
				}
				for _, x := range taken {
					if x.Err == nil {
						won.Add(1)
					} else if !errors.Is(x.Err, store.ErrNotFound) {
						w.Error(x.Err)
					}
				}
			})
		}
		wg.Wait()
		if won.Load() != 20 {
			w.Errorf("%d acts succeeded", won.Load())
		}
	}},
	{"a replayed letter of the mailbox begins with the first retry again, and does not die of its age", func(w *world) {
		for _, tt := range []struct {
			terms *invocation.Terms
			want  int
			after *invocation.Terms
		}{
			{nil, 0, nil},
			{&invocation.Terms{Source: invocation.SourceHTTP, Expires: start}, 0, &invocation.Terms{Source: invocation.SourceHTTP}},
			{&invocation.Terms{Source: invocation.SourceMailbox, MaxRetries: 9, Delay: time.Second}, 1, &invocation.Terms{Source: invocation.SourceMailbox, MaxRetries: 9, Delay: time.Second}},
			{&invocation.Terms{Source: invocation.SourceMailbox, MaxRetries: invocation.Unlimited}, 1, &invocation.Terms{Source: invocation.SourceMailbox, MaxRetries: invocation.Unlimited}},
			{&invocation.Terms{Source: invocation.SourceMailbox}, 0, &invocation.Terms{Source: invocation.SourceMailbox}},
		} {
			inv := w.now("fn")
			inv.Terms, inv.Retries = tt.terms, 7
			w.take(inv)
			w.bury(inv)
			if err := w.Replay(w.Context(), inv.ID); err != nil {
				w.Fatal(err)
			}
			got, err := w.Get(w.Context(), inv.ID)
			if err != nil {
				w.Fatal(err)
			}
			if d := cmp.Diff(tt.after, got.Terms); d != "" || got.Retries != tt.want {
				w.Errorf("%+v: retries %d, want %d, terms (-want +got):\n%s", tt.terms, got.Retries, tt.want, d)
			}
		}
	}},
	{"what is cancelled is reported as it was, and is gone", func(w *world) {
		ready, delayed := w.now("fn"), w.pending("fn", w.clock.Now().Add(time.Hour))
		moved := w.pending("fn", w.clock.Now().Add(time.Second))
		w.take(ready, delayed, moved)
		w.clock.add(time.Second)
		w.move()
		for _, inv := range []*invocation.Invocation{ready, delayed, moved} {
			got, err := w.Cancel(w.Context(), inv.ID)
			if d := cmp.Diff(inv, got); d != "" || err != nil {
				w.Errorf("%v, cancelled (-want +got):\n%s", err, d)
			}
			w.wantGone(inv)
			if _, err := w.Cancel(w.Context(), inv.ID); !errors.Is(err, store.ErrNotFound) {
				w.Errorf("again: %v, want ErrNotFound", err)
			}
		}
		if st := w.Stats(); st.Dropped != 3 || st.Bytes != 0 {
			w.Errorf("counts %+v", st)
		}
		w.clock.add(time.Hour)
		w.move()
		w.wantReady("fn")
	}},
	{"what is dead is not cancelled", func(w *world) {
		inv := w.kill(1)[0]
		if _, err := w.Cancel(w.Context(), inv.ID); !errors.Is(err, store.ErrDead) || errors.Is(err, store.ErrNotFound) {
			w.Errorf("error is %v, want ErrDead", err)
		}
		w.wantDead(inv)
	}},
	{"what is cancelled while it is called cannot be settled", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		if _, err := w.Cancel(w.Context(), inv.ID); err != nil {
			w.Fatal(err)
		}
		cb := w.callback(inv)
		err := w.Settle(w.Context(), store.Settlement{At: at(inv), Outcome: invocation.OutcomeDone, Inv: inv, Callback: cb})
		if !errors.Is(err, store.ErrNotFound) {
			w.Errorf("settle gives %v, want ErrNotFound", err)
		}
		w.wantGone(cb.Inv)
	}},
	{"of a cancel and a settlement one succeeds", func(w *world) {
		for range 20 {
			inv := w.now("fn")
			w.take(inv)
			var settled, cancelled error
			var wg sync.WaitGroup
			wg.Go(func() {
				settled = w.Settle(w.Context(), store.Settlement{At: at(inv), Outcome: invocation.OutcomeDone, Inv: inv})
			})
			wg.Go(func() { _, cancelled = w.Cancel(w.Context(), inv.ID) })
			wg.Wait()
			if (settled == nil) == (cancelled == nil) {
				w.Fatalf("settled %v, cancelled %v", settled, cancelled)
			}
		}
	}},
	{"an invocation of the mailbox counts while it is pending, wherever it waits", func(w *world) {
		count := func(want int) {
			w.Helper()
			if got := w.Stats().Mailbox; got != want {
				w.Errorf("mailbox counts %d, want %d", got, want)
			}
			if w.durable {
				w.restart()
				if got := w.Stats().Mailbox; got != want {
					w.Errorf("after a restart mailbox counts %d, want %d", got, want)
				}
			}
		}
		terms := &invocation.Terms{Source: invocation.SourceMailbox, MaxRetries: 3}
		a, b, c := w.now("fn"), w.pending("fn", w.clock.Now().Add(time.Second)), w.pending("fn", w.clock.Now().Add(time.Hour))
		a.Terms, b.Terms, c.Terms = terms, terms, terms
		w.take(a, b, c, w.now("fn"))
		count(3)
		w.clock.add(time.Second)
		w.move()
		count(3)
		w.later(a, w.clock.Now().Add(time.Second))
		count(3)
		w.settle(b, invocation.OutcomeDone, nil)
		count(2)
		w.clock.add(time.Second)
		w.move()
		w.bury(a)
		count(1)
		if err := w.Replay(w.Context(), a.ID); err != nil {
			w.Fatal(err)
		}
		count(2)
		for _, inv := range []*invocation.Invocation{a, c} {
			if _, err := w.Cancel(w.Context(), inv.ID); err != nil {
				w.Fatal(err)
			}
		}
		count(0)
	}},
}
