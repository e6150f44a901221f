// File settle.go has the span of a settlement, and the trace context of a callback.

package trace

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	oteltrace "go.opentelemetry.io/otel/trace"

	"queue-worker/pkg/invocation"
)

// Settlement is what became of an invocation by an attempt, or without one.
type Settlement struct {
	Begun   time.Time // when it began to be written
	Outcome invocation.Outcome
	Due     time.Time         // of a retry: when it falls due
	Reason  invocation.Reason // why it was given up
	Err     error             // it could not be written; the span has nothing else
}

// Settled makes the span of a settlement that has ended just now. It is a child of
// its attempt; without one (a is nil) it stands where that would.
func (t *Tracer) Settled(inv *invocation.Invocation, header http.Header, a *Attempt, o Settlement) {
	if t == nil {
		return
	}
	var ctx context.Context
	var before []oteltrace.Link
	if a != nil {
		ctx = oteltrace.ContextWithSpanContext(context.Background(), a.span.SpanContext())
	} else {
		ctx, _ = t.parent(inv, header)
		before = links(inv)
	}
	_, span := t.tracer.Start(ctx, named("settle", inv), oteltrace.WithSpanKind(oteltrace.SpanKindInternal),
		oteltrace.WithTimestamp(o.Begun), oteltrace.WithLinks(before...), oteltrace.WithAttributes(identity(inv)...))
	span.SetAttributes(semconv.MessagingOperationName("settle"), semconv.MessagingOperationTypeSettle)
	if o.Err != nil {
		span.SetAttributes(semconv.ErrorTypeKey.String("not_stored"))
		span.SetStatus(codes.Error, "")
		span.End()
		return
	}
	span.SetAttributes(keyOutcome.String(o.Outcome.Next()))
	if !o.Due.IsZero() {
		span.SetAttributes(keyDue.String(o.Due.UTC().Format(time.RFC3339Nano)))
	}
	if o.Reason != "" {
		span.SetAttributes(keyReason.String(string(o.Reason)))
	}
	span.End()
}

// Callback gives a callback the place in the trace that its origin has: header is
// that of the origin's message.
func (t *Tracer) Callback(callback, origin *invocation.Invocation, header http.Header) {
	if t == nil {
		return
	}
	ctx, _ := t.parent(origin, header)
	s := &invocation.Trace{}
	s.Parent, s.State = texts(oteltrace.SpanContextFromContext(ctx))
	if origin.Trace != nil {
		s.Last = origin.Trace.Last
	}
	if *s != (invocation.Trace{}) {
		callback.Trace = s
	}
}
