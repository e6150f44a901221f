// File learn.go feeds the result of a call to the throttle of its lane.

package worker

import (
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/retry"
)

// learn feeds the result of a call to the lane, and logs when the function can
// no longer, or again, be reached. It may change the decision: a call that finds a
// function still out of reach costs the invocation no retry.
func (w *Worker) learn(a *attempt) {
	now := time.Now()
	e := w.effect(a, now)
	n := w.Lanes.learn(a.taken, e)
	switch {
	case n.opened:
		w.Logger.Warn("function unreachable, breaker opened", keyFunction, a.at.Lane.Name, keyQueue, a.at.Lane.Queue,
			"cause", reach(e.cause), "hint", "its invocations wait and spend no attempts; breaker=off goes without this")
	case n.closed:
		w.Logger.Info("function reachable, breaker closed", keyFunction, a.at.Lane.Name, keyQueue, a.at.Lane.Queue)
	}
	if a.taken.probe && e.missed && neverArrived(e.cause) {
		w.keepAttempt(a, now)
	}
}

// reach says in a word why a function was not reached.
func reach(cause invocation.Cause) string {
	if cause == "" {
		return "OpenFaaS answers in its place"
	}
	return string(cause)
}

// effect is what a call means for its lane.
func (w *Worker) effect(a *attempt, now time.Time) effect {
	r := a.result
	if a.uncalled || r.Canceled || r.Malformed || r.Refused {
		return effect{silent: true}
	}
	e := effect{began: a.begun, cause: r.Cause, success: r.Cause == "" && r.Status < http.StatusBadRequest && !r.Redirected}
	internal := len(r.Header[headerInternal]) > 0 && r.Status >= http.StatusInternalServerError
	e.missed = r.Cause != "" || internal
	switch r.Cause {
	case invocation.CauseRefused, invocation.CauseTimeout, invocation.CauseRedirected:
		e.pushed = true
	case "":
		e.pushed = r.Status == http.StatusTooManyRequests || r.Status == http.StatusServiceUnavailable
	default: // it says nothing of how much the function can take
	}
	if e.pushed && r.Cause == "" {
		if asked, ok := retry.ParseRetryAfter(r.Header.Get("Retry-After"), now); ok && asked > 0 {
			e.resume = now.Add(min(asked, a.policy.MaxRetryAfter))
		}
	}
	return e
}

// neverArrived reports whether a call that did not reach the function surely did
// not run it: a time-out or a broken connection may hide that it has.
func neverArrived(cause invocation.Cause) bool {
	switch cause {
	case invocation.CauseRefused, invocation.CauseDNS, invocation.CauseTLS, invocation.CauseRedirected, "":
		return true
	default:
		return false
	}
}

// keepAttempt lets the invocation wait for the next probe, which it will be.
func (w *Worker) keepAttempt(a *attempt, now time.Time) {
	if a.Outcome != invocation.OutcomeRetry && a.Reason != invocation.AttemptsExhausted {
		return
	}
	wait := max(w.Lanes.Throttle(a.at.Lane).Breaker.Next.Sub(now), 0)
	if expires := a.inv.Expires(); !expires.IsZero() && now.Add(wait).After(expires) {
		a.Decision = retry.Decision{Outcome: invocation.OutcomeDead, Reason: invocation.MaxAgeExceeded}
		return
	}
	a.Decision = retry.Decision{Outcome: invocation.OutcomeRetry, Wait: wait}
	a.unspent = true
}
