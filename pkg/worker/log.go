// File log.go logs an attempt: one line, with its outcome. No body, no header value, no
// query string and no URL is ever in it.

package worker

import (
	"context"
	"log/slog"
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

// logAttempt logs the outcome of an attempt.
func (w *Worker) logAttempt(a *attempt) {
	level := slog.LevelInfo
	if a.Outcome == invocation.OutcomeDead || a.Outcome == invocation.OutcomeDropped {
		level = slog.LevelWarn
	}
	if w.QuietAttempts && level == slog.LevelInfo {
		return
	}
	var room [maxOutcomeAttrs]slog.Attr
	w.Logger.LogAttrs(context.Background(), level, word(a), w.appendOutcome(room[:0], a)...)
	if a.callback != nil && a.callback.Inv.State == invocation.Dead {
		w.tellRefused(a.callback.Inv)
	}
}

// maxOutcomeAttrs is how many attributes the line of an attempt has at most.
const maxOutcomeAttrs = 18

// appendOutcome appends the attributes of the line of an attempt.
func (w *Worker) appendOutcome(s []slog.Attr, a *attempt) []slog.Attr {
	s = append(s, slog.String(keyID, a.inv.ID.String()), slog.String(keyCallID, a.inv.CallID), slog.String(keyFunction, a.inv.Function))
	if a.inv.Kind == invocation.KindCallback {
		s = append(s, slog.String(keyTarget, a.inv.Lane.Name))
	}
	if a.result.Status != 0 {
		s = append(s, slog.Int("status", a.result.Status))
	}
	if a.result.Cause != "" {
		s = append(s, slog.String("cause", string(a.result.Cause)))
	}
	s = append(s, slog.Duration("duration", a.result.Duration.Round(time.Microsecond)), slog.String("retry", progress(a)))
	s = append(s, slog.String("next", a.Outcome.Next()))
	switch a.Outcome {
	case invocation.OutcomeRetry:
		if a.result.Cause == invocation.CauseRedirected {
			s = append(s, slog.String("detail", a.result.Detail))
		}
		s = append(s, slog.Duration("wait", a.Wait), slog.String("at", a.next.Format(time.RFC3339Nano)))
	case invocation.OutcomeDead, invocation.OutcomeDropped:
		s = append(s, slog.String("reason", string(a.Reason)))
		if a.result.Detail != "" {
			s = append(s, slog.String("detail", a.result.Detail))
		}
	case invocation.OutcomeDone, invocation.OutcomeCancelled:
	}
	if a.repeated != nil {
		s = append(s, slog.String("repeats", a.repeated.first.String()))
	}
	if w.NumbersInLog {
		s = appendNumbers(s, a)
	}
	return s
}

// appendNumbers appends what the line of an attempt says as text, as numbers. An attempt without a limit of retries has
// no retry_limit.
func appendNumbers(s []slog.Attr, a *attempt) []slog.Attr {
	s = append(s, slog.Float64("duration_seconds", a.result.Duration.Round(time.Microsecond).Seconds()),
		slog.Int("attempt", a.inv.Calls()), slog.Int("retry_count", retries(a)))
	if a.policy.Attempts != retry.Unlimited {
		s = append(s, slog.Int("retry_limit", a.policy.Attempts))
	}
	if a.Outcome == invocation.OutcomeRetry {
		s = append(s, slog.Float64("wait_seconds", a.Wait.Seconds()))
	}
	return s
}

// warnRedirected logs once that calls are redirected before they come to the gateway, and which URL to configure.
func (w *Worker) warnRedirected(a *attempt) {
	r := a.result
	switch {
	case a.inv.Kind == invocation.KindCallback:
	case r.GatewayURL != "":
		w.moved.Do(func() {
			w.Logger.Warn("gateway redirects calls", "location", r.GatewayURL, "hint", "Set gateway_url to "+r.GatewayURL+"; calls that carry credentials are not redirected.")
		})
	case r.Cause == invocation.CauseRedirected:
		w.redirected.Do(func() {
			w.Logger.Warn("calls are redirected before they come to the gateway", "detail", r.Detail,
				"hint", "Set gateway_url to the address of the OpenFaaS gateway itself, past any login page or proxy.")
		})
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
		"next", w.givenUp().Next(), "reason", string(c.Reason), "detail", c.Detail)
}

// progress is n/N: retries so far, this attempt included, and how many there may be.
func progress(a *attempt) string {
	limit := "unlimited"
	if a.policy.Attempts != retry.Unlimited {
		limit = strconv.Itoa(a.policy.Attempts)
	}
	return strconv.Itoa(retries(a)) + "/" + limit
}

// retries is how many retries there were, this attempt included.
func retries(a *attempt) int {
	if a.Outcome == invocation.OutcomeRetry && !a.unspent {
		return a.inv.Retries - 1 // it counts the one to come already
	}
	return a.inv.Retries
}
