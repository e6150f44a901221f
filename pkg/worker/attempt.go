package worker

// One attempt: load, call, decide, settle. Everything that an entry goes through
// while it is in hand is in handle, in the order in which it happens.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"queue-worker/pkg/crash"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/retry"
	"queue-worker/pkg/store"
)

// attempt is what is known of a call and of what called for it.
type attempt struct {
	at     store.Ready
	inv    *invocation.Invocation
	req    *invocation.Request // nil when the QueueRequest cannot be decoded
	policy retry.Policy
	begun  time.Time
	result invoke.Result
	retry.Decision
	next time.Time // of a retry: when it falls due
}

// handle takes one entry through its attempt. The mark of the slot is set
// before the call and cleared after the settlement, so that a crash in between
// can be told.
func (w *Worker) handle(ctx context.Context, slot int, r store.Ready) {
	a, err := w.load(r)
	if err != nil {
		w.unreadable(r, err)
		return
	}
	defer w.Lanes.finish(r)
	w.Store.Hold(slot, r.ID)
	defer w.Store.Release(slot)
	crash.Point("before-call")
	w.call(ctx, a)
	if a.result.Canceled {
		w.Logger.Info("aborted", attrs(a, "next", "called again after the restart")...)
		return
	}
	crash.Point("before-settle")
	w.settle(context.WithoutCancel(ctx), a)
	crash.Point("after-settle")
}

// load reads what is to be called.
func (w *Worker) load(r store.Ready) (*attempt, error) {
	inv, raw, err := w.Store.Load(r.ID)
	if err != nil {
		return nil, err
	}
	a := &attempt{at: r, inv: inv, policy: w.Policy}
	a.req, err = invocation.Decode(raw)
	if err != nil && !errors.Is(err, invocation.ErrNoFunction) {
		a.req, a.result = nil, invoke.Result{Malformed: true, Detail: err.Error()}
		return a, nil
	}
	if inv.Kind == invocation.KindFunction {
		a.policy = w.policyFor(inv.Function, a.req)
	}
	return a, nil
}

// unreadable passes over an entry that cannot be loaded. One that is gone was
// dropped by a person meanwhile; any other stays in the store for the check.
func (w *Worker) unreadable(r store.Ready, err error) {
	if errors.Is(err, store.ErrNotFound) {
		w.Lanes.finish(r)
		return
	}
	w.Logger.Error("cannot load invocation, passing over it", keyID, r.ID, keyFunction, r.Lane.Name, "error", err)
	w.Lanes.park(r)
}

// call makes the call and keeps its record. A panic in it costs this
// invocation only.
func (w *Worker) call(ctx context.Context, a *attempt) {
	a.begun = time.Now()
	w.Metrics.begin(a)
	if a.req != nil {
		a.result = w.guarded(ctx, a)
	}
	if !a.result.Canceled && !a.result.Malformed && !a.result.Refused {
		a.inv.Record(invocation.Attempt{
			At: a.begun, Duration: a.result.Duration, Status: a.result.Status, Cause: a.result.Cause,
		})
	}
	a.Decision = a.policy.Decide(a.inv.Retries, outcome(a), time.Now(), random)
}

// guarded is the one place that recovers from a panic.
func (w *Worker) guarded(ctx context.Context, a *attempt) (res invoke.Result) {
	defer func() {
		if p := recover(); p != nil {
			w.Logger.Error("panic in a call", attrs(a, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))...)
			res = invoke.Result{Malformed: true, Detail: "the call of it made the worker panic"}
		}
	}()
	c := invoke.Call{
		ID: a.inv.ID, CallID: a.inv.CallID, Request: a.req,
		Retry: a.inv.Retries, RetryMax: a.policy.Attempts,
	}
	if a.inv.Kind == invocation.KindCallback {
		return w.Caller.Callback(ctx, a.inv.URL, c)
	}
	c.KeepBody = a.req.CallbackURL != ""
	return w.Caller.Function(ctx, c)
}

// outcome is what the decision goes by.
func outcome(a *attempt) retry.Outcome {
	r := a.result
	return retry.Outcome{
		Status: r.Status, Cause: r.Cause, Malformed: r.Malformed, Refused: r.Refused,
		Internal:   len(r.Header[headerInternal]) > 0,
		RetryAfter: r.Header.Get("Retry-After"),
		Callback:   a.inv.Kind == invocation.KindCallback,
	}
}

// headerInternal marks errors of OpenFaaS's own components.
var headerInternal = http.CanonicalHeaderKey("X-OpenFaaS-Internal")
