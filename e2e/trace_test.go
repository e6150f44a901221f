package e2e

// Traces of OpenTelemetry, as a receiver gets them.

import (
	"strings"
	"syscall"
	"testing"

	"queue-worker/pkg/trace/tracetest"
)

const (
	callersTrace = "0af7651916cd43dd8448eb211c80319c"
	callersSpan  = "b7ad6b7169203331"
	traceparent  = "00-" + callersTrace + "-" + callersSpan + "-01"
)

// spanOf is the span that a header field names.
func spanOf(t testing.TB, field string) (trace, span string) {
	t.Helper()
	parts := strings.Split(field, "-")
	if len(parts) != 4 {
		t.Fatalf("traceparent is %q: got %v, want 4 parts", field, len(parts))
	}
	return parts[1], parts[2]
}

// attemptOf is the one span of an attempt.
func attemptOf(t testing.TB, all []tracetest.Span) tracetest.Span {
	t.Helper()
	var found []tracetest.Span
	for _, s := range all {
		if s.Name == "invoke fn1" {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("attempts: %+v: got %v, want 1 found", all, len(found))
	}
	return found[0]
}

// TestATraceContinuesAfterAKill: the second attempt is in the trace of the first, whose
// worker was killed before it could export anything. What has ended is exported
// before the end of a drain, although that is not its time yet.
func TestATraceContinuesAfterAKill(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		edits []func(*message)
		below func(first string) (trace, span string) // the parent of the second attempt
	}{
		"a message that is in a trace": {
			edits: []func(*message){with("Traceparent", traceparent)},
			below: func(string) (string, string) { return callersTrace, callersSpan },
		},
		"a message that is in none": {below: func(first string) (string, string) { return spanOf(t, first) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			receiver := tracetest.New(t)
			s := newStand(t, "initial_retry_wait=50ms", "OTEL_EXPORTER_OTLP_ENDPOINT="+receiver.URL, "OTEL_BSP_SCHEDULE_DELAY=3600000")
			s.gateway.tell(failing(1))
			w := s.crasher("after-settle", 1)
			m := call("fn1", "", tt.edits...)
			s.broker.publish(t, m)
			w.crashed(t)
			w = s.worker()
			w.next(t, m, "done")
			w.signal(t, syscall.SIGTERM)
			if code := w.exit(t); code != 0 {
				t.Errorf("exit %d, want 0", code)
			}
			calls := s.gateway.of(m)
			if len(calls) != 2 {
				t.Fatalf("%d calls, want 2 calls", len(calls))
			}
			first, second := calls[0].Header.Get("Traceparent"), calls[1].Header.Get("Traceparent")
			a := attemptOf(t, receiver.Spans())
			switch trace, span := spanOf(t, second); {
			case trace != a.Trace:
				t.Errorf("the call carries %s, its span is %+v, want trace %v", second, a, a.Trace)
			case span != a.ID:
				t.Errorf("the call carries %s, its span is %+v, want span %v", second, a, a.ID)
			}
			trace, parent := tt.below(first)
			switch _, before := spanOf(t, first); {
			case a.Trace != trace:
				t.Errorf("after %s: %+v, want trace %v", first, a, trace)
			case a.Parent != parent:
				t.Errorf("after %s: %+v, want parent %v", first, a, parent)
			case len(a.Links) != 1:
				t.Errorf("after %s: %+v, want 1 link", first, a)
			case a.Links[0] != before:
				t.Errorf("after %s: %+v, want a.Links[0] %v", first, a, before)
			}
		})
	}
}

// TestWithoutTracesAMessageKeepsTheTraceOfItsCaller as it came.
func TestWithoutTracesAMessageKeepsTheTraceOfItsCaller(t *testing.T) {
	t.Parallel()
	s := newStand(t, "OTEL_SERVICE_NAME=night")
	w := s.worker()
	m := call("fn1", "", with("Traceparent", traceparent), with("Tracestate", "vendor=1"))
	s.broker.publish(t, m)
	w.next(t, m, "done")
	switch h := s.gateway.of(m)[0].Header; {
	case h.Get("Traceparent") != traceparent:
		t.Errorf("%v, want traceparent %v", h, traceparent)
	case h.Get("Tracestate") != "vendor=1":
		t.Errorf(`%v, want tracestate "vendor=1"`, h)
	}
}

// TestADrainDoesNotWaitLongForAReceiverThatHangs: drain_timeout bounds it, and its
// exit is clean, since no call was harmed.
func TestADrainDoesNotWaitLongForAReceiverThatHangs(t *testing.T) {
	t.Parallel()
	receiver := newStub(t)
	s := newStand(t, "drain_timeout=1s", "OTEL_EXPORTER_OTLP_ENDPOINT="+receiver.url(),
		"OTEL_EXPORTER_OTLP_TIMEOUT=3600000", "OTEL_BSP_EXPORT_TIMEOUT=3600000")
	hung := make(chan struct{})
	t.Cleanup(func() { close(hung) })
	receiver.tell(always(answer{Until: hung}))
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "done")
	w.signal(t, syscall.SIGTERM)
	if code := w.exit(t); code != 0 { // that there is an end is what counts: the receiver has an hour

		t.Errorf("exit %d, want 0", code)
	}
}
