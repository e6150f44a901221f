package worker

// Traces, with the real client, real servers and a real receiver of spans.

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/trace"
	"queue-worker/pkg/trace/tracetest"
)

const (
	callersTrace = "0af7651916cd43dd8448eb211c80319c"
	callersSpan  = "b7ad6b7169203331"
	traceparent  = "00-" + callersTrace + "-" + callersSpan + "-01"
)

// traced adds a tracer to a setup. Variables are the process's, so that no other
// test may run beside.
func traced(t *testing.T, s *setup, endpoint string) {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
	s.tracer = trace.New(t.Context(), "test", slog.New(slog.DiscardHandler))
	t.Cleanup(func() { s.tracer.Close(t.Context()) })
}

// spansBy puts spans under their names and outcomes: "invoke fn", "settle fn dead".
func spansBy(all []tracetest.Span) map[string][]tracetest.Span {
	m := map[string][]tracetest.Span{}
	for _, s := range all {
		key := strings.TrimSpace(s.Name + " " + s.Attributes["queue_worker.outcome"])
		m[key] = append(m[key], s)
	}
	return m
}

// carried is the header field that makes its bearer a child of a span.
func carried(s tracetest.Span) string { return "00-" + s.Trace + "-" + s.ID + "-01" }

// TestOneTraceFromTheFirstCallToTheCallbackAfterAReplay takes an invocation through
// a retry, the dead set, a replay and two callbacks.
func TestOneTraceFromTheFirstCallToTheCallbackAfterAReplay(t *testing.T) {
	receiver := tracetest.New(t)
	hook := serve(t, func(http.ResponseWriter, *http.Request, int) {})
	gateway := serve(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		w.Header().Set("Traceparent", "00-11111111111111111111111111111111-2222222222222222-01") // unrelated
		if n < 2 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	s := online(t, gateway)
	s.policy.Attempts = 1
	traced(t, &s, receiver.URL)
	r := start(t, s)
	m := calling("fn", strings.Replace(hook.URL, "//", "//user:s3cret@", 1)+"/hook?s3cret=1")
	m.Header.Set("Traceparent", traceparent)
	m.Header.Set("Tracestate", "vendor=1")
	m.Header.Set("Authorization", "s3cret")
	m.QueryString, m.Body = "s3cret=2", []byte("s3cret")
	id := r.accept(m)
	r.await(1) // dead, and its callback is made
	if err := r.store.Replay(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	all := receiver.Await(t, 10)
	by := spansBy(all)
	attempts, callbacks := by["invoke fn"], by["callback fn"]
	if len(all) != 10 || len(attempts) != 3 || len(callbacks) != 2 {
		t.Fatalf("%d spans: %+v", len(all), by)
	}
	for n, a := range attempts {
		if n > 0 && (len(a.Links) != 1 || a.Links[0] != attempts[n-1].ID) {
			t.Errorf("attempt %d has the links %v", n, a.Links)
		}
		if got := gateway.requests("/function/fn/")[n].Header; got.Get("Traceparent") != carried(a) || got.Get("Tracestate") != "vendor=1" {
			t.Errorf("call %d carries %v", n, got)
		}
	}
	for n, c := range callbacks {
		if origin := attempts[n+1].ID; len(c.Links) != 1 || c.Links[0] != origin {
			t.Errorf("callback %d has the links %v, not %s", n, c.Links, origin)
		}
		if got := hook.requests("/hook")[n].Header; got.Get("Traceparent") != carried(c) || got.Get("Tracestate") != "vendor=1" {
			t.Errorf("callback %d carries %v", n, got)
		}
	}
	for _, a := range append(attempts, callbacks...) {
		if a.Trace != callersTrace || a.Parent != callersSpan {
			t.Errorf("%s is in trace %s below %s", a.Name, a.Trace, a.Parent)
		}
	}
	for key, want := range map[string]string{
		"settle fn retry": attempts[0].ID, "settle fn dead": attempts[1].ID,
	} {
		if s := by[key]; len(s) != 1 || s[0].Parent != want || s[0].Trace != callersTrace {
			t.Errorf("%s: %+v", key, s)
		}
	}
	if s := by["settle fn done"]; len(s) != 3 || by["settle fn dead"][0].Attributes["queue_worker.reason"] != string(invocation.AttemptsExhausted) ||
		by["settle fn retry"][0].Attributes["queue_worker.due"] == "" {
		t.Errorf("%+v", by)
	}
	if bytes.Contains(receiver.Raw(), []byte("s3cret")) || bytes.Contains(receiver.Raw(), []byte("/hook")) {
		t.Error("a span repeats what a message holds")
	}
}

// TestWithoutTracesTheCallersTraceGoesOnAsItIs, and a callback gets nothing of it.
func TestWithoutTracesTheCallersTraceGoesOnAsItIs(t *testing.T) {
	t.Parallel()
	hook := serve(t, func(http.ResponseWriter, *http.Request, int) {})
	gateway := serve(t, func(http.ResponseWriter, *http.Request, int) {})
	r := start(t, online(t, gateway))
	m := calling("fn", hook.URL+"/hook")
	m.Header.Set("Traceparent", traceparent)
	m.Header.Set("Tracestate", "vendor=1")
	m.Header.Set("Baggage", "user=1")
	r.accept(m)
	r.await(1)
	got := gateway.requests("/function/fn/")[0].Header
	if got.Get("Traceparent") != traceparent || got.Get("Tracestate") != "vendor=1" || got.Get("Baggage") != "user=1" {
		t.Errorf("the function got %v", got)
	}
	if got := hook.requests("/hook")[0].Header; got.Get("Traceparent")+got.Get("Tracestate") != "" {
		t.Errorf("the callback got %v", got)
	}
}

// TestAReceiverOfSpansThatIsAwayHoldsNobodyUp: many more invocations than spans that
// have room are called and settled.
func TestAReceiverOfSpansThatIsAwayHoldsNobodyUp(t *testing.T) {
	const many = 500
	gateway := serve(t, func(http.ResponseWriter, *http.Request, int) {})
	s := online(t, gateway)
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "16")
	hung := make(chan struct{})
	receiver := serve(t, func(http.ResponseWriter, *http.Request, int) { <-hung })
	t.Cleanup(func() { close(hung) }) // before the server is closed
	traced(t, &s, receiver.URL)
	r := start(t, s)
	for range many {
		r.accept(to("fn"))
	}
	r.await(many)
	if st := r.store.Stats(); st.Done != many {
		t.Errorf("%+v", st)
	}
}

// TestWhatWasNeverCalledStandsInItsTraceToo: it came too late.
func TestWhatWasNeverCalledStandsInItsTraceToo(t *testing.T) {
	receiver := tracetest.New(t)
	s := online(t, serve(t, func(http.ResponseWriter, *http.Request, int) {}))
	traced(t, &s, receiver.URL)
	r := start(t, s)
	m := to("fn")
	m.Header = http.Header{"Traceparent": {traceparent}}
	r.acceptAs(m, func(inv *invocation.Invocation) {
		inv.Terms = &invocation.Terms{Source: invocation.SourceHTTP, Expires: time.Now().Add(-time.Second)}
	})
	all := receiver.Await(t, 1)
	if s := all[0]; len(all) != 1 || s.Trace != callersTrace || s.Parent != callersSpan || s.Name != "settle fn" ||
		s.Attributes["queue_worker.outcome"] != "dead" || s.Attributes["queue_worker.reason"] != string(invocation.MaxAgeExceeded) {
		t.Errorf("%+v", all)
	}
}
