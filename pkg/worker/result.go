// File result.go makes what is kept of a finished invocation.

package worker

import (
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/store"
)

// resultOf is what is kept of a function's invocation that has ended: its last
// answer as a callback would carry it. It is nil where nothing is kept.
func (w *Worker) resultOf(a *attempt, now time.Time) *store.Result {
	ttl := w.resultTTL(a)
	if ttl <= 0 || a.inv.Kind == invocation.KindCallback {
		return nil
	}
	body := a.result.Body
	if large := a.result.Large; large != nil {
		var err error
		if body, err = large.Bytes(); err != nil {
			w.cutToBeginning(a, err)
			body = a.result.Body
		}
	}
	return &store.Result{
		Inv: a.inv, Outcome: a.Outcome, Status: a.result.Status, Header: w.header(a), Body: body,
		Truncated: a.result.Truncated, At: now, Expires: now.Add(ttl),
	}
}

// resultTTL is how long a result is kept: what others may repeat, and what repeats it, for as long as
// its key.
func (w *Worker) resultTTL(a *attempt) time.Duration {
	if (a.keyed || a.repeated != nil) && w.Store.Durable() {
		return max(w.ResultTTL, w.IdempotencyWindow)
	}
	return w.ResultTTL
}

// header is that of a callback that carries the result of an attempt.
func (w *Worker) header(a *attempt) http.Header {
	return invoke.CallbackHeader(a.result, invoke.Meta{
		Function: a.inv.Function, CallID: a.inv.CallID,
		Retry: a.inv.Retries, RetryMax: a.policy.Attempts, Version: w.Version,
	})
}
