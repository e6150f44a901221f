// File over.go reports the end of an invocation, and keeps its result.

package worker

import (
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/store"
)

// Over is an invocation that has ended, by an attempt or instead of one.
type Over struct {
	Inv     *invocation.Invocation // as it was in the end; it does not change any more
	Outcome invocation.Outcome
	Status  int           // of its last attempt, 0 when there was none
	Result  *store.Result // what is kept of it; nil for nothing
}

// resultOf is what is kept of a function's invocation that has ended: its last
// answer as a callback would carry it. It is nil where nothing is kept.
func (w *Worker) resultOf(a *attempt, now time.Time) *store.Result {
	if w.ResultTTL <= 0 || a.inv.Kind == invocation.KindCallback {
		return nil
	}
	return &store.Result{
		Inv: a.inv, Outcome: a.Outcome, Status: a.result.Status, Header: w.header(a), Body: a.result.Body,
		Truncated: a.result.Truncated, At: now, Expires: now.Add(w.ResultTTL),
	}
}

// header is that of a callback that carries the result of an attempt.
func (w *Worker) header(a *attempt) http.Header {
	return invoke.CallbackHeader(a.result, invoke.Meta{
		Function: a.inv.Function, CallID: a.inv.CallID,
		Retry: a.inv.Retries, RetryMax: a.policy.Attempts, Version: w.Version,
	})
}

// ended reports an invocation that has ended, and its callback when that was
// refused and so has finished too.
func (w *Worker) ended(a *attempt, st store.Settlement) {
	if w.Over == nil || st.Outcome == invocation.OutcomeRetry {
		return
	}
	w.Over(Over{Inv: a.inv, Outcome: st.Outcome, Status: a.inv.LastStatus(), Result: st.Result})
	if a.callback == nil || a.callback.Inv.State != invocation.Dead {
		return
	}
	w.Over(Over{Inv: a.callback.Inv, Outcome: w.givenUp()})
}
