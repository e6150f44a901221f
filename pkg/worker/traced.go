// File traced.go has the spans of an attempt and of its settlement.

package worker

import (
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/trace"
)

// answerOf is what the span of a call says of its result.
func answerOf(r invoke.Result) trace.Answer {
	a := trace.Answer{Status: r.Status, Cause: r.Cause}
	switch {
	case r.Canceled:
		a.Unsent = "canceled"
	case r.Malformed:
		a.Unsent = "malformed"
	case r.Refused:
		a.Unsent = "refused"
	case r.Expired:
		a.Unsent = "expired"
	}
	return a
}

// traced makes the span of a settlement that began to be written at begun; err says
// that it could not be.
func (w *Worker) traced(a *attempt, begun time.Time, err error) {
	if w.Tracer == nil {
		return
	}
	o := trace.Settlement{Begun: begun, Err: err, Outcome: a.Outcome, Reason: a.Reason}
	if a.Outcome == invocation.OutcomeRetry {
		o.Due = a.next
	}
	if a.req == nil {
		w.Tracer.Settled(a.inv, nil, a.span, o)
		return
	}
	w.Tracer.Settled(a.inv, a.req.Header, a.span, o)
}
