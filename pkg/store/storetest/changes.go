package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Changing notes what is about to change, and then what it has come to.
func (w *watcher) Changing(changes []store.Change) (changed func(error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changing++
	for _, c := range changes {
		text := fmt.Sprintf("%s %s", c.Inv.CallID, c.Outcome)
		if !c.Callback.IsZero() {
			text += " callback"
		}
		w.changes = append(w.changes, text)
	}
	return func(err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.changing--
		w.changes = append(w.changes, fmt.Sprint(err))
	}
}

// wantChanges checks the changes since the last call, each batch with its error.
func (w *world) wantChanges(want ...string) {
	w.Helper()
	w.watcher.mu.Lock()
	defer w.watcher.mu.Unlock()
	if d := cmp.Diff(want, w.watcher.changes); d != "" {
		w.Errorf("changes (-want +got):\n%s", d)
	}
	w.watcher.changes = nil
}

const durable = "<nil>"

var changes = []test{
	{"an invocation is reported from its acceptance to its end", func(w *world) {
		inv := w.now("fn")
		w.take(inv)
		w.wantChanges("call-1 ", durable)
		w.later(inv, w.clock.Now().Add(time.Minute))
		w.wantChanges("call-1 retry", durable)
		w.clock.add(time.Minute)
		w.move()
		w.wantChanges()
		w.bury(inv)
		w.wantChanges("call-1 dead", durable)
		if err := w.Replay(w.Context(), inv.ID); err != nil {
			w.Fatalf("replay: %v", err)
		}
		w.wantChanges("call-1 ", durable)
		inv.Since = w.clock.Now()
		w.settle(inv, invocation.OutcomeDone, nil)
		w.wantChanges("call-1 done", durable)
	}},
	{"an outcome names the callback that is still to come", func(w *world) {
		pending, refused := w.now("fn"), w.now("fn")
		w.take(pending, refused)
		w.wantChanges("call-1 ", durable, "call-2 ", durable)
		w.settle(pending, invocation.OutcomeDone, w.callback(pending))
		w.wantChanges("call-1 done callback", "call-3 ", durable)
		c := w.callback(refused)
		c.Inv.State, c.Inv.Reason, c.Inv.DiedAt = invocation.Dead, invocation.AttemptsExhausted, w.clock.Now()
		w.settle(refused, invocation.OutcomeDropped, c)
		w.wantChanges("call-2 dropped", "call-4 dead", durable)
	}},
	{"what operators and bounds remove is reported", func(w *world) {
		dead := w.kill(3)
		pending := []*invocation.Invocation{w.now("fn"), w.now("fn")}
		w.take(pending...)
		w.watcher.changes = nil
		if _, err := w.Cancel(w.Context(), pending[0].ID); err != nil {
			w.Fatalf("cancel: %v", err)
		}
		w.wantChanges("call-4 cancelled", durable)
		w.act(store.Batch{Verb: store.ActCancel, IDs: idsOf(pending...)})
		w.wantChanges("call-5 cancelled", durable)
		w.act(store.Batch{Verb: store.ActDrop, IDs: idsOf(dead[0])})
		w.wantChanges("call-1 dropped", durable)
		w.expire(store.Bounds{MaxBytes: int64(dead[1].Size)})
		w.wantChanges("call-2 dropped", durable)
		w.clock.add(time.Hour)
		w.expire(store.Bounds{MaxAge: time.Minute})
		w.wantChanges("call-3 dropped", durable)
	}},
	{"what is refused is not reported", func(w *world) {
		inv := w.now("fn")
		if err := w.Settle(w.Context(), store.Settlement{At: at(inv), Outcome: invocation.OutcomeDone, Inv: inv}); !errors.Is(err, store.ErrNotFound) {
			w.Errorf("settling what is not there gives %v, want ErrNotFound", err)
		}
		if err := w.Drop(w.Context(), inv.ID); !errors.Is(err, store.ErrNotFound) {
			w.Errorf("dropping what is not there gives %v, want ErrNotFound", err)
		}
		w.act(store.Batch{Verb: store.ActCancel, IDs: idsOf(inv)})
		w.wantChanges()
	}},
}
