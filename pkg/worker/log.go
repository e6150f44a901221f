package worker

// What the log says of an attempt: one line, with what comes next. No body, no
// header value, no query string and no URL is ever in it.

import (
	"strconv"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/retry"
)

// Keys of log lines.
const (
	keyID       = "id"
	keyCallID   = "call_id"
	keyFunction = "function"
	keyQueue    = "queue"
	keyTarget   = "target"
)

// attrs identify an attempt.
func attrs(a *attempt, more ...any) []any {
	s := []any{keyID, a.inv.ID.String(), keyCallID, a.inv.CallID, keyFunction, a.inv.Function}
	if a.inv.Kind == invocation.KindCallback {
		s = append(s, keyTarget, a.inv.Lane.Name)
	}
	return append(s, more...)
}

// tell logs what an attempt came to.
func (w *Worker) tell(a *attempt) {
	s := attrs(a)
	if a.result.Status != 0 {
		s = append(s, "status", a.result.Status)
	}
	if a.result.Cause != "" {
		s = append(s, "cause", string(a.result.Cause))
	}
	s = append(s, "duration", a.result.Duration.Round(time.Microsecond), "retry", progress(a))
	message := word(a)
	if a.cancelled {
		w.Logger.Info(message, append(s, "next", "cancelled")...)
		return
	}
	switch a.Verb {
	case retry.Done:
		w.Logger.Info(message, append(s, "next", "done")...)
	case retry.Retry:
		w.Logger.Info(message, append(s, "next", "retry", "wait", a.Wait, "at", a.next.Format(time.RFC3339Nano))...)
	case retry.Bury:
		s = append(s, "next", w.grave(), "reason", string(a.Reason))
		if a.result.Detail != "" {
			s = append(s, "detail", a.result.Detail)
		}
		w.Logger.Warn(message, s...)
	case retry.Discard:
		w.Logger.Warn(message, append(s, "next", "discarded", "reason", string(a.Reason))...)
	default:
		panic("worker: unknown verb")
	}
	if a.callback != nil && a.callback.Inv.State == invocation.Dead {
		w.tellRefused(a.callback.Inv)
	}
}

// word is what happened, in one word or two: the message of the line.
func word(a *attempt) string {
	switch {
	case a.uncalled:
		return "not called"
	case a.inv.Source() == invocation.SourceProducer:
		return "posted"
	case a.inv.Kind == invocation.KindCallback:
		return "callback"
	}
	return "invoked"
}

// tellRefused logs a callback that was dead from the start.
func (w *Worker) tellRefused(c *invocation.Invocation) {
	w.Logger.Warn("callback", keyID, c.ID.String(), keyCallID, c.CallID, keyFunction, c.Function,
		"next", w.grave(), "reason", string(c.Reason), "detail", c.Detail)
}

// grave is where what was given up goes.
func (w *Worker) grave() string {
	if w.DeadSet {
		return "dead"
	}
	return "discarded"
}

// progress is n/N: retries so far, this attempt included, and how many there may be.
func progress(a *attempt) string {
	n := a.inv.Retries
	if a.Verb == retry.Retry && !a.unspent {
		n-- // it counts the one to come already
	}
	limit := "unlimited"
	if a.policy.Attempts != retry.Unlimited {
		limit = strconv.Itoa(a.policy.Attempts)
	}
	return strconv.Itoa(n) + "/" + limit
}
