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
	switch {
	case len(all) != 10:
		t.Fatalf("%d spans: %+v: len(all) = %d, want 10", len(all), by, len(all))
	case len(attempts) != 3:
		t.Fatalf("%d spans: %+v: len(attempts) = %d, want 3", len(all), by, len(attempts))
	case len(callbacks) != 2:
		t.Fatalf("%d spans: %+v: len(callbacks) = %d, want 2", len(all), by, len(callbacks))
	}
	for n, a := range attempts {
		if n > 0 && (len(a.Links) != 1 || a.Links[0] != attempts[n-1].ID) {
			t.Errorf("attempt %d has the links %v", n, a.Links)
		}
		switch got := gateway.requests("/function/fn/")[n].Header; {
		case got.Get("Traceparent") != carried(a):
			t.Errorf("call %d carries %v, want traceparent %v", n, got, carried(a))
		case got.Get("Tracestate") != "vendor=1":
			t.Errorf(`call %d carries %v, want tracestate "vendor=1"`, n, got)
		}
	}
	for n, c := range callbacks {
		switch origin := attempts[n+1].ID; {
		case len(c.Links) != 1:
			t.Errorf("callback %d has the links %v, not %s, want len 1", n, c.Links, origin)
		case c.Links[0] != origin:
			t.Errorf("callback %d has the links %v, not %s: c.Links[0] = %q, want %q", n, c.Links, origin, c.Links[0], origin)
		}
		switch got := hook.requests("/hook")[n].Header; {
		case got.Get("Traceparent") != carried(c):
			t.Errorf("callback %d carries %v, want traceparent %v", n, got, carried(c))
		case got.Get("Tracestate") != "vendor=1":
			t.Errorf(`callback %d carries %v, want tracestate "vendor=1"`, n, got)
		}
	}
	for _, a := range append(attempts, callbacks...) {
		switch {
		case a.Trace != callersTrace:
			t.Errorf("%s is in trace %s below %s: a.Trace = %q, want %q", a.Name, a.Trace, a.Parent, a.Trace, callersTrace)
		case a.Parent != callersSpan:
			t.Errorf("%s is in trace %s below %s: a.Parent = %q, want %q", a.Name, a.Trace, a.Parent, a.Parent, callersSpan)
		}
	}
	for key, want := range map[string]string{
		"settle fn retry": attempts[0].ID, "settle fn dead": attempts[1].ID,
	} {
		switch s := by[key]; {
		case len(s) != 1:
			t.Errorf("%s: %+v, want len 1", key, s)
		case s[0].Parent != want:
			t.Errorf("%s: %+v: s[0].Parent = %q, want %q", key, s, s[0].Parent, want)
		case s[0].Trace != callersTrace:
			t.Errorf("%s: %+v: s[0].Trace = %q, want %q", key, s, s[0].Trace, callersTrace)
		}
	}
	switch s := by["settle fn done"]; {
	case len(s) != 3:
		t.Errorf("%+v: len(s) = %d, want 3", by, len(s))
	case by["settle fn dead"][0].Attributes["queue_worker.reason"] != string(invocation.AttemptsExhausted):
		t.Errorf("%+v: by[\"settle fn dead\"][0].Attributes[\"queue_worker.reason\"] = %q, want %q", by, by["settle fn dead"][0].Attributes["queue_worker.reason"], string(invocation.AttemptsExhausted))
	case by["settle fn retry"][0].Attributes["queue_worker.due"] == "":
		t.Errorf("%+v: by[\"settle fn retry\"][0].Attributes[\"queue_worker.due\"] = %q, want not \"\"", by, by["settle fn retry"][0].Attributes["queue_worker.due"])
	}
	switch {
	case bytes.Contains(receiver.Raw(), []byte("s3cret")):
		t.Error("a span repeats what a message holds: bytes.Contains(receiver.Raw(), []byte(\"s3cret\")) = true, want false")
	case bytes.Contains(receiver.Raw(), []byte("/hook")):
		t.Error("a span repeats what a message holds: bytes.Contains(receiver.Raw(), []byte(\"/hook\")) = true, want false")
	}
}

// TestWithoutTracesTheCallersTraceIsPassedOn, and a callback gets nothing of it.
func TestWithoutTracesTheCallersTraceIsPassedOn(t *testing.T) {
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
	switch {
	case got.Get("Traceparent") != traceparent:
		t.Errorf("the function got %v: got.Get(\"Traceparent\") = %q, want %q", got, got.Get("Traceparent"), traceparent)
	case got.Get("Tracestate") != "vendor=1":
		t.Errorf("the function got %v: got.Get(\"Tracestate\") = %q, want \"vendor=1\"", got, got.Get("Tracestate"))
	case got.Get("Baggage") != "user=1":
		t.Errorf("the function got %v: got.Get(\"Baggage\") = %q, want \"user=1\"", got, got.Get("Baggage"))
	}
	if got := hook.requests("/hook")[0].Header; got.Get("Traceparent")+got.Get("Tracestate") != "" {
		t.Errorf("the callback got %v: got.Get(\"Traceparent\")+got.Get(\"Tracestate\") = %q, want \"\"", got, got.Get("Traceparent")+got.Get("Tracestate"))
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
		t.Errorf("%+v, want Done %d", st, many)
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
	switch s := all[0]; {
	case len(all) != 1:
		t.Errorf("%+v, want len 1", all)
	case s.Trace != callersTrace:
		t.Errorf("%+v: s.Trace = %q, want %q", all, s.Trace, callersTrace)
	case s.Parent != callersSpan:
		t.Errorf("%+v: s.Parent = %q, want %q", all, s.Parent, callersSpan)
	case s.Name != "settle fn":
		t.Errorf("%+v: s.Name = %q, want \"settle fn\"", all, s.Name)
	case s.Attributes["queue_worker.outcome"] != "dead":
		t.Errorf("%+v: s.Attributes[\"queue_worker.outcome\"] = %q, want \"dead\"", all, s.Attributes["queue_worker.outcome"])
	case s.Attributes["queue_worker.reason"] != string(invocation.MaxAgeExceeded):
		t.Errorf("%+v: s.Attributes[\"queue_worker.reason\"] = %q, want %q", all, s.Attributes["queue_worker.reason"], string(invocation.MaxAgeExceeded))
	}
}

// TestNoTraceHasTheAnswerThatIsKept has functions whose answers say s3cret in every place, and a callback that does.
func TestNoTraceHasTheAnswerThatIsKept(t *testing.T) {
	receiver := tracetest.New(t)
	answer := func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Content-Type", "text/s3cret")
		w.Header().Set("X-S3cret", "s3cret")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte("s3cret"))
	}
	gateway, hook := serve(t, answer), serve(t, answer)
	s := online(t, gateway)
	s.policy.Attempts, s.answer, s.keep = 0, 4<<10, time.Hour
	traced(t, &s, receiver.URL)
	r := start(t, s)
	id := r.accept(calling("fn", hook.URL+"/hook"))
	all := receiver.Await(t, 4) // a call and its end, a callback and its end
	if got := len(spansBy(all)["invoke fn"]); got != 1 {
		t.Errorf("spans of the call: got %d, want 1", got)
	}
	inv, err := r.store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if inv.Answer == nil || string(inv.Answer.Body) != "s3cret" {
		t.Errorf("the answer that is kept: got %+v, want s3cret", inv.Answer)
	}
	if bytes.Contains(bytes.ToLower(receiver.Raw()), []byte("s3cret")) {
		t.Error("the spans have the answer, want it nowhere")
	}
}
