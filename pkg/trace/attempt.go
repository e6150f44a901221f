// File attempt.go has the span of an attempt.

package trace

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	oteltrace "go.opentelemetry.io/otel/trace"

	"queue-worker/pkg/invocation"
)

// Attempt is the span of a call that is being made. A nil Attempt is none.
type Attempt struct {
	span   oteltrace.Span
	sends  bool // the call carries the span's context
	traced *invocation.Trace
}

// Attempt begins the span of a call. header is the message's, whose traceparent is
// the span's parent; where there is none, the invocation's own trace says it, and
// without one a trace begins.
func (t *Tracer) Attempt(inv *invocation.Invocation, header http.Header) *Attempt {
	if t == nil {
		return nil
	}
	ctx, named := t.parent(inv, header)
	_, span := t.tracer.Start(ctx, callName(inv), oteltrace.WithSpanKind(oteltrace.SpanKindClient),
		oteltrace.WithLinks(links(inv)...), oteltrace.WithAttributes(callAttributes(inv)...))
	return &Attempt{span: span, sends: t.propagate, traced: stand(inv, span, named)}
}

// Context is what the call carries instead of the caller's traceparent and
// tracestate; two empty texts leave those as they are.
func (a *Attempt) Context() (parent, state string) {
	if a == nil || !a.sends {
		return "", ""
	}
	return texts(a.span.SpanContext())
}

// Answer is what came of a call.
type Answer struct {
	Status int
	Cause  invocation.Cause // there was no answer, and Status says nothing
	// Unsent says in a word why nothing was sent or nothing is known; "" otherwise.
	Unsent string
}

// End ends the span, and notes the trace context in the record of the invocation.
func (a *Attempt) End(inv *invocation.Invocation, r Answer) {
	if a == nil {
		return
	}
	inv.Trace = a.traced
	switch {
	case r.Unsent != "":
		a.failed(r.Unsent)
	case r.Cause != "":
		a.span.SetAttributes(keyCause.String(string(r.Cause)))
		a.failed(string(r.Cause))
	default:
		a.span.SetAttributes(semconv.HTTPResponseStatusCode(r.Status))
		if r.Status >= http.StatusBadRequest {
			a.failed(strconv.Itoa(r.Status))
		}
	}
	a.span.End()
}

func (a *Attempt) failed(why string) {
	a.span.SetAttributes(semconv.ErrorTypeKey.String(why))
	a.span.SetStatus(codes.Error, "")
}

// stand is the trace context of the invocation after an attempt.
func stand(inv *invocation.Invocation, span oteltrace.Span, named bool) *invocation.Trace {
	parent, state := texts(span.SpanContext())
	s := &invocation.Trace{Last: parent}
	switch {
	case named:
	case inv.Trace != nil && inv.Trace.Parent != "":
		s.Parent, s.State = inv.Trace.Parent, inv.Trace.State
	default:
		s.Parent, s.State = parent, state
	}
	return s
}

// parent is a context with the parent of an invocation's spans, and whether the
// message names it. The header of a callback is that of a function's answer.
func (t *Tracer) parent(inv *invocation.Invocation, header http.Header) (ctx context.Context, named bool) {
	ctx = context.Background()
	if t.propagate && inv.Origin.IsZero() {
		// A list may be spread over several fields of the name.
		ctx = w3c.Extract(ctx, carrier(header.Get(fieldParent), strings.Join(header.Values(fieldState), ",")))
	}
	if oteltrace.SpanContextFromContext(ctx).IsValid() {
		return ctx, true
	}
	if inv.Trace != nil {
		ctx = w3c.Extract(ctx, carrier(inv.Trace.Parent, inv.Trace.State))
	}
	return ctx, false
}

// links lead to the attempt before.
func links(inv *invocation.Invocation) []oteltrace.Link {
	if inv.Trace == nil {
		return nil
	}
	before := oteltrace.SpanContextFromContext(w3c.Extract(context.Background(), carrier(inv.Trace.Last, "")))
	if !before.IsValid() {
		return nil
	}
	return []oteltrace.Link{{SpanContext: before}}
}

// w3c reads and writes traceparent and tracestate.
var w3c propagation.TraceContext

const (
	fieldParent = "traceparent"
	fieldState  = "tracestate"
)

func carrier(parent, state string) propagation.MapCarrier {
	return propagation.MapCarrier{fieldParent: parent, fieldState: state}
}

// texts are a span's context as the header fields have it.
func texts(c oteltrace.SpanContext) (parent, state string) {
	m := propagation.MapCarrier{}
	w3c.Inject(oteltrace.ContextWithSpanContext(context.Background(), c), m)
	return m[fieldParent], m[fieldState]
}
