// File accept.go has the span of a submission over HTTP, which is the parent of its
// attempts.

package trace

import (
	"net/http"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	oteltrace "go.opentelemetry.io/otel/trace"

	"queue-worker/pkg/invocation"
)

// Accept is the span of a submission. A nil Accept is none.
type Accept struct{ span oteltrace.Span }

// Accept begins the span of a submission as a child of what header names, and puts
// the span there instead.
func (t *Tracer) Accept(inv *invocation.Invocation, header http.Header) *Accept {
	return t.AcceptFor(inv, header, header)
}

// AcceptFor is Accept for a submission whose invocation has a header of its own: the parent is named by the
// caller's, and the span is put into the invocation's.
func (t *Tracer) AcceptFor(inv *invocation.Invocation, caller, header http.Header) *Accept {
	if t == nil {
		return nil
	}
	ctx, _ := t.parent(inv, caller)
	_, span := t.tracer.Start(ctx, named("accept", inv), oteltrace.WithSpanKind(oteltrace.SpanKindProducer), oteltrace.WithAttributes(identity(inv)...))
	span.SetAttributes(semconv.MessagingOperationName("accept"), semconv.MessagingOperationTypeSend)
	if t.propagate {
		parent, state := texts(span.SpanContext())
		header.Set(fieldParent, parent)
		header.Del(fieldState)
		if state != "" {
			header.Set(fieldState, state)
		}
	}
	return &Accept{span}
}

// End ends the span. id is the one that the caller got: another one when
// an earlier submission had the same key. err: it was not accepted.
func (a *Accept) End(id string, err error) {
	if a == nil {
		return
	}
	if err != nil {
		a.span.SetAttributes(semconv.ErrorTypeKey.String("not_accepted"))
		a.span.SetStatus(codes.Error, "")
	} else {
		a.span.SetAttributes(semconv.MessagingMessageID(clip(id)))
	}
	a.span.End()
}
