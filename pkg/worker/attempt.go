// File attempt.go has one attempt: load, call, decide, settle. handle and attempt have all
// steps of an entry in flight, in their order.

package worker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"queue-worker/pkg/crash"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/retry"
	"queue-worker/pkg/store"
	"queue-worker/pkg/trace"
)

// attempt is what is known of a call and of what called for it.
type attempt struct {
	at     store.Ready
	taken  taken
	inv    *invocation.Invocation
	raw    []byte
	req    *invocation.Request // nil when the QueueRequest cannot be decoded
	policy policy.Policy
	begun  time.Time
	result invoke.Result
	// unspent: the call did not reach the function while that could not be reached
	// at all; it counts as no retry.
	unspent bool
	// uncalled: it was given up without a call, or repeats another invocation.
	uncalled bool
	keyed    bool        // it has claimed its idempotency key
	repeated *repetition // what it repeats; nil for nothing
	retry.Decision
	next     time.Time      // of a retry: when it falls due
	callback *store.Accept  // carries the result; nil when none was asked for
	span     *trace.Attempt // of the call; nil without traces, or without a call
	large    large          // of a callback with a large body
}

// handle takes one entry through its attempt. The marker of the slot is set before
// anything of the entry is looked at and cleared after the settlement, so that
// what makes the process die in between is found at the next start.
func (w *Worker) handle(c contexts, slot int, t taken) {
	r := t.Ready
	w.Store.Hold(slot, r.ID)
	over := w.attempt(c, &w.slots[slot], t)
	w.slots[slot].end()
	w.Store.Release(slot)
	if over {
		w.Lanes.finish(r)
		return
	}
	w.Lanes.park(r)
}

// attempt makes an attempt and reports whether the entry has left its place. One
// that has not must not be called again before a restart: what came of it is
// known, or cannot be.
func (w *Worker) attempt(c contexts, h *callSlot, t taken) (over bool) {
	r := t.Ready
	calls := h.begin(c.calls, r.ID)
	a, err := w.load(calls, r)
	if err != nil {
		w.Lanes.learn(t, effect{silent: true})
		return w.unreadable(r, err)
	}
	defer a.close()
	a.taken = t
	if !w.guarded(a, "message", func() { w.read(calls, a) }) {
		a.req = nil
	}
	crash.Point("before-call")
	if reason, why := hopeless(a.inv, w.Store.Now()); reason != "" {
		w.giveUp(a, reason, why)
	} else if !w.repeats(calls, a) {
		w.call(calls, a)
	}
	w.learn(a)
	cancelled := h.decided()
	if a.result.Canceled && !cancelled {
		w.Logger.Info("aborted", attrs(a, "next", "called again after the restart")...)
		return false
	}
	crash.Point("before-settle")
	if cancelled { // nothing follows, whatever the decision was
		a.Decision = retry.Decision{Outcome: invocation.OutcomeCancelled}
	}
	over = w.settle(c.settlements, a)
	crash.Point("after-settle")
	return over
}

// load reads what is to be called. ErrNotFound means that it is no longer there,
// or waits in another place by now.
func (w *Worker) load(ctx context.Context, r store.Ready) (*attempt, error) {
	room, err := w.loadRoom(ctx, r)
	if err != nil {
		return nil, err
	}
	l, err := w.Store.LoadReady(ctx, r)
	if err != nil {
		room.close()
		return nil, err
	}
	return &attempt{large: room, at: r, inv: l.Inv, raw: l.Raw, req: l.Request, policy: w.base(r.Lane.Queue)}, nil
}

// read decodes the QueueRequest and finds out how it is to be called. One that cannot
// be decoded has no req after it; the decoder's error is not shown, because it repeats
// parts of the message.
func (w *Worker) read(ctx context.Context, a *attempt) {
	if a.req == nil {
		req, err := decode(a.raw)
		if err != nil {
			return
		}
		a.req = req
	}
	w.moveBody(a)
	w.apply(ctx, a)
}

// unreadable passes over an entry that cannot be loaded. One that is gone was
// dropped by an operator meanwhile; any other stays in the store for the check.
func (w *Worker) unreadable(r store.Ready, err error) (over bool) {
	if errors.Is(err, store.ErrNotFound) {
		return true
	}
	w.Logger.Error("cannot load invocation, skipped until restart",
		keyID, r.ID.String(), keyFunction, r.Lane.Name, "error", err)
	return false
}

// expired is the detail of an invocation whose time ended before it could be called.
const expired = "Its time was over before it could be called."

// hopeless says why an invocation must not be called any more, "" when it may be.
func hopeless(inv *invocation.Invocation, now time.Time) (reason invocation.Reason, why string) {
	t := inv.Terms
	switch {
	case t == nil:
		return "", ""
	case !t.Expires.IsZero() && now.After(t.Expires):
		return invocation.MaxAgeExceeded, expired
	case t.Source == invocation.SourceMailbox && t.MaxRetries != invocation.Unlimited && inv.Retries > t.MaxRetries:
		return invocation.AttemptsExhausted, "It came with all its retries made."
	}
	return "", ""
}

// giveUp ends an invocation without a call.
func (w *Worker) giveUp(a *attempt, reason invocation.Reason, why string) {
	a.uncalled = true
	a.result.Detail = why
	a.Decision = retry.Decision{Outcome: invocation.OutcomeDead, Reason: reason}
}

// call makes the call and keeps its record.
func (w *Worker) call(ctx context.Context, a *attempt) {
	a.begun = time.Now()
	w.Metrics.begin(a)
	if !w.guarded(a, "call", func() { a.result = w.send(ctx, a) }) {
		a.result = invoke.Result{Malformed: true, Detail: "The call of it made the worker panic."}
	}
	a.begun = a.begun.Add(a.result.Waited)
	a.span.End(a.inv, answerOf(a.result))
	w.warnRedirected(a)
	if a.result.Expired {
		w.giveUp(a, invocation.MaxAgeExceeded, expired+" The worker had waited: "+a.result.Detail+".")
		return
	}
	if !a.result.Canceled && !a.result.Malformed && !a.result.Refused {
		a.inv.Record(invocation.Attempt{
			At: a.begun, Duration: a.result.Duration, Status: a.result.Status, Cause: a.result.Cause,
		})
	}
	res := retryResult(a)
	res.Missing = w.missing(ctx, a)
	a.Decision = a.policy.Decide(a.inv.Retries, res, w.Store.Now(), random)
}

// send sends what is in the QueueRequest.
func (w *Worker) send(ctx context.Context, a *attempt) invoke.Result {
	if a.req == nil {
		return invoke.Result{Malformed: true, Detail: "The message cannot be decoded."}
	}
	c := invoke.Call{
		ID: a.inv.ID, CallID: a.inv.CallID, Request: a.req, Terms: a.inv.Terms,
		Retry: a.inv.Retries, RetryMax: a.policy.Attempts,
	}
	a.span = w.Tracer.Attempt(a.inv, a.req.Header)
	c.TraceParent, c.TraceState = a.span.Context()
	if a.inv.Kind == invocation.KindCallback {
		number(a.req.Header, a.inv)
		return w.Caller.Callback(ctx, a.inv.URL, c)
	}
	if from := a.policy.Sources[policy.Timeout]; from != policy.Worker {
		c.Timeout = a.policy.Timeout
	}
	c.KeepBody = w.wantsBody(a)
	c.KeepBeginning = w.answerBytes(a)
	return w.Caller.Function(ctx, c)
}

// decode reads a QueueRequest. That it names no usable function is for the call to
// say: a callback needs none.
func decode(raw []byte) (*invocation.Request, error) {
	req, err := invocation.Decode(raw)
	if errors.Is(err, invocation.ErrNoFunction) {
		err = nil
	}
	return req, err
}

// guarded is the one place that recovers from a panic, which costs only the
// invocation that it is about. It reports whether do came to its end.
func (w *Worker) guarded(a *attempt, what string, do func()) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			w.Logger.Error("panic", attrs(a, "in", what, "panic", panicText(p), "stack", string(debug.Stack()))...)
		}
	}()
	do()
	return true
}

// panicText is what a panic says, when that comes from the runtime. Any other
// text may hold part of a message.
func panicText(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", p)
}

// retryResult is what the decision goes by.
func retryResult(a *attempt) retry.Result {
	r := a.result
	return retry.Result{
		Status: r.Status, Cause: r.Cause, Malformed: r.Malformed, Refused: r.Refused, Redirected: r.Redirected,
		Internal:   len(r.Header[headerInternal]) > 0,
		NoRetry:    strings.EqualFold(strings.TrimSpace(r.Header.Get(headerNoRetry)), "true"),
		RetryAfter: r.Header.Get("Retry-After"),
		Expires:    a.inv.Expires(),
	}
}

// headerInternal marks errors of OpenFaaS's own components.
var headerInternal = http.CanonicalHeaderKey("X-OpenFaaS-Internal")

// headerNoRetry is how a function says that calling it again is of no use.
const headerNoRetry = "X-No-Retry"
