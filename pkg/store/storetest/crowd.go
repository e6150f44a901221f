package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

var crowd = []test{
	{"many who accept, call, list, replay and drop lose and invent nothing", func(w *world) {
		const n = 600
		var wg sync.WaitGroup
		var done, dead, gone atomic.Int64
		work := make(chan *invocation.Invocation, 4*n)
		for range 4 {
			wg.Go(func() {
				for inv := range work {
					w.live(inv, &done, &dead)
				}
			})
		}
		stop := make(chan struct{})
		var watching sync.WaitGroup
		watching.Go(func() { w.clean(stop, &gone) })
		watching.Go(func() { w.look(stop) })
		answers := make(chan error, n)
		for range n {
			inv := w.now("fn")
			w.Accept(store.Accept{Inv: inv, Raw: raw(inv)}, func(err error) {
				work <- inv
				answers <- err
			})
		}
		for range n {
			if err := <-answers; err != nil {
				w.Error(err)
			}
		}
		close(work)
		wg.Wait()
		close(stop)
		watching.Wait()
		st := w.Stats()
		if st.Accepted != n || int64(st.Done) != done.Load() || int64(st.Dropped) != gone.Load() || // #nosec G115 -- small
			int64(st.Dead) != dead.Load()-gone.Load() || st.Ready+st.Delayed != 0 {
			w.Errorf("done %d, dead %d, of these dropped %d; counts %+v", done.Load(), dead.Load(), gone.Load(), st)
		}
		if got := len(w.dead()); got != st.Dead {
			w.Errorf("%d letters are listed", got)
		}
	}},
	{"a call id finds an invocation, or its result and its callback, at every moment", func(w *world) {
		n := 300
		if testing.Short() {
			n = 60
		}
		for range n {
			inv := w.now("fn")
			w.take(inv)
			callback := w.callback(inv)
			callback.Inv.CallID = inv.CallID
			done := make(chan struct{})
			go func() {
				defer close(done)
				err := w.Settle(w.Context(), store.Settlement{At: at(inv), Outcome: invocation.OutcomeDone, Inv: inv, Callback: callback, Result: w.ending(inv, "")})
				if err != nil {
					w.Errorf("settle: got %v, want no error", err)
				}
			}()
			for finished := false; !finished; {
				select {
				case <-done:
					finished = true
				default:
				}
				found, results, err := w.FindCall(context.Background(), inv.CallID, 10)
				if err != nil || len(found) != 1 || (len(results) == 1) != (found[0].ID == callback.Inv.ID) {
					w.Errorf("got %v, %d results, %v; want the invocation, or its callback and a result", ids(found), len(results), err)
				}
			}
		}
	}},
	{"the watcher hears of everything that becomes ready, once and in the order of the lane", func(w *world) {
		const n = 500
		answers := make(chan error, n)
		for range n {
			inv := w.now("fn")
			w.clock.add(1)
			w.Accept(store.Accept{Inv: inv, Raw: raw(inv)}, func(err error) { answers <- err })
		}
		for range n {
			if err := <-answers; err != nil {
				w.Error(err)
			}
		}
		notified, _ := w.watcher.take()
		if len(notified) != n {
			w.Fatalf("notified of %d", len(notified))
		}
		for i, r := range w.ready("fn") {
			if notified[i].ID != r.ID {
				w.Fatalf("entry %d was reported out of order", i)
			}
		}
	}},
}

// live takes an invocation through one retry to its end.
func (w *world) live(inv *invocation.Invocation, done, dead *atomic.Int64) {
	ctx := w.Context()
	got, b, err := w.Load(w.Context(), inv.ID)
	if err != nil || string(b) != string(raw(inv)) {
		w.Errorf("load: %v", err)
		return
	}
	here := at(got)
	got.Since = here.Since.Add(-time.Second) // a retry without a wait
	if err := w.Settle(ctx, store.Settlement{At: here, Outcome: invocation.OutcomeRetry, Inv: got}); err != nil {
		w.Errorf("settle: %v", err)
		return
	}
	st := store.Settlement{At: at(got), Outcome: invocation.OutcomeDone, Inv: got}
	if got.ID[15]%3 == 0 {
		st.Outcome = invocation.OutcomeDead
		got.Reason, got.DiedAt = invocation.NonRetryable, w.clock.Now()
		dead.Add(1)
	} else {
		done.Add(1)
	}
	if err := w.Settle(ctx, st); err != nil {
		w.Errorf("settle: %v", err)
	}
}

// clean drops every second letter that it sees.
func (w *world) clean(stop <-chan struct{}, gone *atomic.Int64) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		page, err := w.Letters(w.Context(), store.Filter{}, "", 5)
		if err != nil {
			w.Error(err)
			return
		}
		for _, inv := range page.Letters {
			if inv.ID[14]%2 != 0 {
				continue
			}
			switch err := w.Drop(w.Context(), inv.ID); {
			case err == nil:
				gone.Add(1)
			case !errors.Is(err, store.ErrNotFound):
				w.Error(err)
			}
		}
		if _, err := w.MoveDue(w.Context()); err != nil {
			w.Error(err)
			return
		}
	}
}

// look reads whatever can be read.
func (w *world) look(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		found, err := w.Take(w.Context(), lane("fn"), store.Ready{}, 10)
		if err != nil {
			w.Error(err)
			return
		}
		for _, r := range found {
			if _, err := w.Get(w.Context(), r.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
				w.Error(err)
			}
		}
		if d := w.Stats().Difference(); d != 0 {
			w.Errorf("accepted minus stored minus finished: got %d, want 0", d)
			return
		}
		_, _ = w.Lanes(), w.NextDue()
	}
}
