package worker

// Settling: the decision is written down, and then told.

import (
	"context"
	"errors"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/retry"
	"queue-worker/pkg/store"
)

// settle writes what the attempt came to. Only when that is durable is anybody
// told. order matters: see docs/guarantees.md
func (w *Worker) settle(ctx context.Context, a *attempt) {
	st := store.Settlement{At: a.at, Inv: a.inv}
	w.conclude(a, &st)
	if a.Verb != retry.Retry {
		st.Callback = w.keepable(w.callback(a))
	}
	err := w.Store.Settle(ctx, st)
	switch {
	case errors.Is(err, store.ErrNotFound):
		w.Logger.Info("dropped while it was called", attrs(a)...)
	case err != nil:
		w.Logger.Error("outcome not stored, the function will be called again", attrs(a, "error", err)...)
		return
	default:
		w.Metrics.settled(a, st)
		w.tell(a)
		w.tellRefused(st.Callback)
	}
	if a.Verb != retry.Retry && w.Settled != nil {
		w.Settled(a.inv.ID, callbackID(st))
	}
}

// keepable is nil for a callback that was refused when there is no dead set.
func (w *Worker) keepable(c *store.Accept) *store.Accept {
	if c == nil || c.Inv.State != invocation.Dead || w.DeadSet {
		return c
	}
	w.Metrics.Discarded(c.Inv.Reason)
	return nil
}

// callbackID is the callback that is still to be made for a settlement; zero for
// none, or one that was refused and is over.
func callbackID(st store.Settlement) invocation.ID {
	if st.Callback == nil || st.Callback.Inv.State == invocation.Dead {
		return invocation.ID{}
	}
	return st.Callback.Inv.ID
}

// conclude makes the decision the invocation's next state.
func (w *Worker) conclude(a *attempt, st *store.Settlement) {
	now := time.Now()
	switch a.Verb {
	case retry.Done:
		st.Verdict = store.Done
	case retry.Discard:
		st.Verdict = store.Drop
	case retry.Retry:
		st.Verdict = store.Later
		a.inv.Retries++
		a.next = now.Add(a.Wait)
		a.inv.Since = a.next
	case retry.Bury:
		st.Verdict = store.Drop
		if w.DeadSet {
			st.Verdict = store.Bury
		}
		a.inv.State, a.inv.DiedAt = invocation.Dead, now
		a.inv.Reason, a.inv.Detail = a.Reason, a.result.Detail
	default:
		panic("worker: unknown verb")
	}
}
