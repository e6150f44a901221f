// File settle.go persists the outcome of an attempt, and then reports it.

package worker

import (
	"context"
	"errors"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// settle writes what the attempt came to, and reports whether that is written.
// Only then is it reported. order matters: see docs/guarantees.md
func (w *Worker) settle(ctx context.Context, a *attempt) (over bool) {
	defer w.settleRoom(ctx, a)()
	st := store.Settlement{At: a.at, Inv: a.inv}
	w.conclude(a, &st)
	a.result.Close()
	begun := time.Now()
	err := w.Store.Settle(ctx, st)
	w.traced(a, begun, err)
	if err != nil {
		return w.unsettled(a, err)
	}
	w.report(a, st)
	return true
}

// report counts and logs what was settled.
func (w *Worker) report(a *attempt, st store.Settlement) {
	if a.uncalled && a.Outcome == invocation.OutcomeRetry {
		return // a repetition waits for the first of its key
	}
	w.Metrics.settled(a, st)
	w.remember(a)
	w.logAttempt(a)
	w.reportCut(a)
	if a.callback != nil && st.Callback == nil {
		w.discarded(a.callback.Inv)
	}
}

// unsettled logs that nothing was written.
func (w *Worker) unsettled(a *attempt, err error) (over bool) {
	if errors.Is(err, store.ErrNotFound) {
		w.Logger.Info("invocation removed while in flight", attrs(a)...)
		return true
	}
	w.Metrics.unsettled.Inc()
	w.Logger.Error("outcome not persisted, call will be repeated after restart", attrs(a, "error", err)...)
	return false
}

// discarded reports an invocation that was given up and is not stored.
func (w *Worker) discarded(inv *invocation.Invocation) {
	if w.Discarded != nil {
		w.Discarded(inv)
	}
}

// remember keeps what the call says of its lane.
func (w *Worker) remember(a *attempt) {
	now, called := time.Now(), a.result.Status != 0
	if called {
		e := LastError{At: now, Status: a.result.Status, Cause: a.result.Cause}
		w.activities.record(a.inv.Lane, a.Outcome != invocation.OutcomeDone, e)
	}
	if called || a.Outcome != invocation.OutcomeRetry {
		w.activities.count(a.inv.Lane, a.Outcome, now)
	}
}

// conclude makes the decision the invocation's next state, and what goes with it
// when it has ended: the callback, and what is kept of the result. A callback that
// is refused is stored only where there is a dead set.
func (w *Worker) conclude(a *attempt, st *store.Settlement) {
	now := w.Store.Now()
	w.carryOut(a, now)
	st.Answer = w.keptAnswer(a)
	if st.Outcome = a.Outcome; st.Outcome == invocation.OutcomeRetry {
		return
	}
	switch {
	case a.Outcome != invocation.OutcomeCancelled:
		w.guarded(a, "callback", func() { a.callback = w.callbackOf(a.answered()) })
	case a.inv.Replays > 0:
		w.guarded(a, "callback", func() { a.callback = w.lastCallbackOf(a) })
	}
	if a.callback != nil && (w.DeadSet || a.callback.Inv.State != invocation.Dead) {
		st.Callback = a.callback
	}
	w.guarded(a, "result", func() { st.Result = w.resultOf(a.answered(), now) })
}

// carryOut makes the decision the record's next state. Without a dead set what would be dead is dropped.
func (w *Worker) carryOut(a *attempt, now time.Time) {
	switch a.Outcome {
	case invocation.OutcomeDone, invocation.OutcomeDropped, invocation.OutcomeCancelled:
	case invocation.OutcomeRetry:
		if !a.unspent {
			a.inv.Retries++
		}
		a.next = now.Add(a.Wait)
		if a.next.Equal(a.at.Since) {
			a.next = a.next.Add(1) // a place is never used twice, see Lanes
		}
		a.inv.Since = a.next
	case invocation.OutcomeDead:
		a.inv.State, a.inv.DiedAt = invocation.Dead, now
		a.inv.Reason, a.inv.Detail = a.Reason, a.result.Detail
		a.Outcome = w.givenUp()
	default:
		panic("worker: unknown outcome")
	}
}

// givenUp is the outcome of an invocation that was given up.
func (w *Worker) givenUp() invocation.Outcome {
	if w.DeadSet {
		return invocation.OutcomeDead
	}
	return invocation.OutcomeDropped
}
