package trace

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/trace/tracetest"
)

// The tests set variables of the process, so they do not run in parallel.

// clean takes away what the environment of the test says of OpenTelemetry, and sets
// what the test wants.
func clean(t *testing.T, pairs ...string) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "")
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		t.Setenv(pairs[i], pairs[i+1])
	}
}

// open makes a tracer, and a log that can be read when it is closed.
func open(t *testing.T, pairs ...string) (*Tracer, *bytes.Buffer) {
	t.Helper()
	clean(t, pairs...)
	var log bytes.Buffer
	return New(t.Context(), "1.2.3", slog.New(slog.NewTextHandler(&log, nil))), &log
}

func made(function string) *invocation.Invocation {
	now := time.Now()
	return &invocation.Invocation{
		ID: invocation.NewID(now), CallID: "call-1", Function: function,
		Lane: invocation.Lane{Queue: "faas-request", Name: function}, Accepted: now, Since: now,
	}
}

const (
	callersTrace = "0af7651916cd43dd8448eb211c80319c"
	callersSpan  = "b7ad6b7169203331"
	callers      = "00-" + callersTrace + "-" + callersSpan + "-01"
)

func from(parent string) http.Header {
	return http.Header{"Traceparent": {parent}, "Tracestate": {"a=1", "b=2"}}
}

func TestTracesAreOnWhenTheVariablesAskForThem(t *testing.T) {
	const url = "http://127.0.0.1:1"
	for name, tt := range map[string]struct {
		env  []string
		on   bool
		says string // in the log
	}{
		"nothing set":                            {},
		"an endpoint":                            {env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", url}, on: true},
		"an endpoint of traces alone":            {env: []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url + "/x"}, on: true},
		"the exporter by name":                   {env: []string{"OTEL_TRACES_EXPORTER", "otlp"}, on: true},
		"a list with one that is not here":       {env: []string{"OTEL_TRACES_EXPORTER", "console, otlp"}, on: true, says: "console"},
		"only one that is not here":              {env: []string{"OTEL_TRACES_EXPORTER", "zipkin", "OTEL_EXPORTER_OTLP_ENDPOINT", url}, says: "zipkin"},
		"an endpoint, and no exporter":           {env: []string{"OTEL_TRACES_EXPORTER", "none", "OTEL_EXPORTER_OTLP_ENDPOINT", url}},
		"an endpoint, and the SDK disabled":      {env: []string{"OTEL_SDK_DISABLED", "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT", url}},
		"an endpoint that is none":               {env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "u:secret@collector:4318"}, says: "is not a URL"},
		"a service name alone":                   {env: []string{"OTEL_SERVICE_NAME", "x", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}},
		"grpc":                                   {env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", url, "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, on: true, says: "protocol=grpc"},
		"a protocol that is none":                {env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", url, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "carrier-pigeon"}, says: "grpc, http/protobuf"},
		"a propagator that is not here":          {env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", url, "OTEL_PROPAGATORS", "tracecontext,b3"}, on: true, says: "b3"},
		"a sampler that is none":                 {env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", url, "OTEL_TRACES_SAMPLER", "sometimes"}, on: true, says: "sometimes"},
		"headers that are none are not repeated": {env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", url, "OTEL_EXPORTER_OTLP_HEADERS", "secret"}, on: true, says: "parse headers"},
	} {
		t.Run(name, func(t *testing.T) {
			tr, log := open(t, tt.env...)
			defer tr.Close(t.Context())
			if (tr != nil) != tt.on {
				t.Errorf("on is %v, want %v", tr != nil, tt.on)
			}
			switch {
			case !strings.Contains(log.String(), tt.says):
				t.Errorf("the log says %q, not %q: log.String() = %q, want %q in it", log, tt.says, log.String(), tt.says)
			case strings.Contains(log.String(), "secret"):
				t.Errorf("the log says %q, not %q: log.String() = %q, want no \"secret\" in it", log, tt.says, log.String())
			}
		})
	}
}

// TestASpanSaysWhoseItIs: what a receiver gets for an attempt and its settlement.
func TestASpanSaysWhoseItIs(t *testing.T) {
	r := tracetest.New(t)
	tr, _ := open(t, "OTEL_EXPORTER_OTLP_ENDPOINT", r.URL, "OTEL_RESOURCE_ATTRIBUTES", "team=night")
	inv := made("figlet")
	inv.Retries = 2
	inv.CallID = "call-\xff" + strings.Repeat("x", 1000) // protobuf takes only UTF-8
	a := tr.Attempt(inv, from(callers))
	parent, state := a.Context()
	switch {
	case !strings.HasPrefix(parent, "00-"+callersTrace+"-"):
		t.Errorf("the call carries %q, want it to begin with %q", parent, "00-"+callersTrace+"-")
	case strings.Contains(parent, callersSpan):
		t.Errorf("the call carries %q, want no %q in it", parent, callersSpan)
	case state != "a=1,b=2":
		t.Errorf("%q, want \"a=1,b=2\"", state)
	}
	a.End(inv, Answer{Status: 503, Cause: invocation.CauseTimeout})
	due := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tr.Settled(inv, from(callers), a, Settlement{Begun: time.Now(), Outcome: invocation.OutcomeRetry, Due: due})
	tr.Close(t.Context())
	spans := r.Await(t, 2)
	want := map[string]string{
		"messaging.system": "openfaas", "messaging.destination.name": "faas-request", "messaging.message.id": inv.ID.String(),
		"messaging.message.conversation_id": clip(inv.CallID), "faas.invoked_name": "figlet", "queue_worker.source": "gateway",
		"http.request.method": "POST", "http.request.resend_count": "2", "queue_worker.retry": "2",
		"queue_worker.cause": "timeout", "error.type": "timeout",
	}
	s := spans[0]
	switch d := cmp.Diff(want, s.Attributes); {
	case d != "":
		t.Errorf("%+v\n%s, want d empty", s, d)
	case s.Name != "invoke figlet":
		t.Errorf("%+v\n%s, want name \"invoke figlet\"", s, d)
	case s.Kind != "client":
		t.Errorf("%+v\n%s, want kind \"client\"", s, d)
	case !s.Error:
		t.Errorf("%+v\n%s, want error", s, d)
	case s.Trace != callersTrace:
		t.Errorf("%+v\n%s, want trace %v", s, d, callersTrace)
	case s.Parent != callersSpan:
		t.Errorf("%+v\n%s, want parent %v", s, d, callersSpan)
	case s.State != "a=1,b=2":
		t.Errorf("%+v\n%s, want state \"a=1,b=2\"", s, d)
	case s.Links != nil:
		t.Errorf("%+v\n%s, want links nil", s, d)
	}
	switch {
	case s.Resource["service.name"] != "queue-worker":
		t.Errorf("resource %v: s.Resource[\"service.name\"] = %q, want \"queue-worker\"", s.Resource, s.Resource["service.name"])
	case s.Resource["service.version"] != "1.2.3":
		t.Errorf("resource %v: s.Resource[\"service.version\"] = %q, want \"1.2.3\"", s.Resource, s.Resource["service.version"])
	case s.Resource["team"] != "night":
		t.Errorf("resource %v: s.Resource[\"team\"] = %q, want \"night\"", s.Resource, s.Resource["team"])
	}
	o := spans[1]
	switch {
	case o.Name != "settle figlet":
		t.Errorf("%+v, want Name \"settle figlet\"", o)
	case o.Kind != "internal":
		t.Errorf("%+v, want Kind \"internal\"", o)
	case o.Parent != s.ID:
		t.Errorf("%+v, want Parent %q", o, s.ID)
	case o.Trace != callersTrace:
		t.Errorf("%+v, want Trace %q", o, callersTrace)
	case o.Error:
		t.Errorf("%+v: o.Error = true, want false", o)
	case o.Attributes["queue_worker.outcome"] != "retry":
		t.Errorf("%+v: o.Attributes[\"queue_worker.outcome\"] = %q, want \"retry\"", o, o.Attributes["queue_worker.outcome"])
	case o.Attributes["queue_worker.due"] != "2026-03-01T12:00:00Z":
		t.Errorf("%+v: o.Attributes[\"queue_worker.due\"] = %q, want \"2026-03-01T12:00:00Z\"", o, o.Attributes["queue_worker.due"])
	}
}

// TestAnAttemptWithoutACallersTraceBeginsOne, and the later ones are its children.
func TestAnAttemptWithoutACallersTraceBeginsOne(t *testing.T) {
	for name, header := range map[string]http.Header{
		"no header": nil, "no traceparent": {"X-A": {"b"}}, "one that is none": from("00-nothing-01"),
		"one of zeroes": from("00-00000000000000000000000000000000-0000000000000000-01"),
	} {
		t.Run(name, func(t *testing.T) {
			r := tracetest.New(t)
			tr, _ := open(t, "OTEL_EXPORTER_OTLP_ENDPOINT", r.URL, "OTEL_SERVICE_NAME", "night")
			inv := made("fn")
			for range 3 {
				tr.Attempt(inv, header).End(inv, Answer{Status: 500})
			}
			callback := made("fn")
			callback.Kind, callback.Origin, callback.Lane.Name = invocation.KindCallback, inv.ID, "url:hooks.example:8443"
			tr.Callback(callback, inv, header)
			tr.Attempt(callback, from(callers)).End(callback, Answer{Status: 200}) // its header is the function's
			tr.Close(t.Context())
			s := r.Await(t, 4)
			for i, a := range s[1:] {
				switch {
				case a.Trace != s[0].Trace:
					t.Errorf("attempt %d: %+v, want Trace %q", i+1, a, s[0].Trace)
				case a.Parent != s[0].ID:
					t.Errorf("attempt %d: %+v, want Parent %q", i+1, a, s[0].ID)
				case len(a.Links) != 1:
					t.Errorf("attempt %d: %+v: len(a.Links) = %d, want 1", i+1, a, len(a.Links))
				case a.Links[0] != s[i].ID:
					t.Errorf("attempt %d: %+v: a.Links[0] = %q, want %q", i+1, a, a.Links[0], s[i].ID)
				}
			}
			switch c := s[3]; {
			case s[0].Parent != "":
				t.Errorf("%+v, want Parent \"\"\n%+v", s[0], c)
			case c.Name != "callback fn":
				t.Errorf("%+v, want Name \"callback fn\"\n%+v", s[0], c)
			case c.Attributes["server.address"] != "hooks.example":
				t.Errorf("%+v: c.Attributes[\"server.address\"] = %q, want \"hooks.example\"\n%+v", s[0], c.Attributes["server.address"], c)
			case c.Attributes["server.port"] != "8443":
				t.Errorf("%+v: c.Attributes[\"server.port\"] = %q, want \"8443\"\n%+v", s[0], c.Attributes["server.port"], c)
			}
			if s[0].Resource["service.name"] != "night" {
				t.Errorf("resource %v: s[0].Resource[\"service.name\"] = %q, want \"night\"", s[0].Resource, s[0].Resource["service.name"])
			}
		})
	}
}

func TestNoPropagationKeepsTheCallersTraceAsItIs(t *testing.T) {
	r := tracetest.New(t)
	tr, _ := open(t, "OTEL_EXPORTER_OTLP_ENDPOINT", r.URL, "OTEL_PROPAGATORS", "none")
	inv := made("fn")
	a := tr.Attempt(inv, from(callers))
	switch parent, state := a.Context(); {
	case parent != "":
		t.Errorf("the call carries %q, want \"\"", parent)
	case state != "":
		t.Errorf("%q, want \"\"", state)
	}
	a.End(inv, Answer{Status: 200})
	tr.Close(t.Context())
	if s := r.Await(t, 1); s[0].Trace == callersTrace {
		t.Errorf("%+v, want Trace not %q", s[0], callersTrace)
	}
}

// TestWhatTheCallerDoesNotSampleIsNotExported, and the function hears of that.
func TestWhatTheCallerDoesNotSampleIsNotExported(t *testing.T) {
	r := tracetest.New(t)
	tr, _ := open(t, "OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	inv := made("fn")
	a := tr.Attempt(inv, from(strings.TrimSuffix(callers, "1")+"0"))
	switch parent, _ := a.Context(); {
	case !strings.HasPrefix(parent, "00-"+callersTrace):
		t.Errorf("the call carries %q, want it to begin with %q", parent, "00-"+callersTrace)
	case !strings.HasSuffix(parent, "-00"):
		t.Errorf("the call carries %q, want it to end with %q", parent, "-00")
	}
	a.End(inv, Answer{Status: 200})
	tr.Close(t.Context())
	if s := r.Spans(); len(s) != 0 {
		t.Errorf("%+v, want len 0", s)
	}
}

// TestAReceiverThatIsAwayCostsOneWarning, and nothing waits for it.
func TestAReceiverThatIsAwayCostsOneWarning(t *testing.T) {
	r := tracetest.New(t)
	r.Answer(http.StatusForbidden)
	tr, log := open(t, "OTEL_EXPORTER_OTLP_ENDPOINT", r.URL, "OTEL_BSP_SCHEDULE_DELAY", "10", "OTEL_BSP_MAX_QUEUE_SIZE", "16")
	for range 3 {
		came := r.Came()
		for range 100 { // more than there is room for
			inv := made("fn")
			tr.Attempt(inv, nil).End(inv, Answer{Status: 200})
		}
		<-came
	}
	r.Answer(0)
	inv := made("fn")
	for len(r.Spans()) == 0 { // what is dropped for want of room is not waited for
		came := r.Came()
		tr.Attempt(inv, nil).End(inv, Answer{Status: 200})
		<-came
	}
	tr.Close(t.Context())
	switch n := strings.Count(log.String(), "level=WARN"); {
	case n != 1:
		t.Errorf("%d warnings in, want 1\n%s", n, log)
	case !strings.Contains(log.String(), "span export recovered"):
		t.Errorf("%d warnings in, want \"span export recovered\" in it\n%s", n, log)
	}
}

// TestTheEndDoesNotWaitForAReceiverThatHangs, and leaves no export behind.
func TestTheEndDoesNotWaitForAReceiverThatHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // nothing accepts
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	tr, log := open(t, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+l.Addr().String())
	inv := made("fn")
	tr.Attempt(inv, nil).End(inv, Answer{Status: 200})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); tr.Close(ctx) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it waits")
	}
	if !strings.Contains(log.String(), "last spans not exported") {
		t.Error(log)
	}
	tr.Close(t.Context()) // does nothing
}

func TestSpansGoOverGRPC(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	got := make(chan []tracetest.Span, 1)
	collector.RegisterTraceServiceServer(s, taker{got: got})
	go func() { _ = s.Serve(l) }()
	defer s.Stop()
	tr, _ := open(t, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+l.Addr().String(), "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	inv := made("fn")
	tr.Attempt(inv, from(callers)).End(inv, Answer{Status: 200})
	tr.Close(t.Context())
	switch spans := <-got; {
	case len(spans) != 1:
		t.Errorf("%+v, want len 1", spans)
	case spans[0].Trace != callersTrace:
		t.Errorf("%+v, want [0].Trace %q", spans, callersTrace)
	}
}

type taker struct {
	collector.UnimplementedTraceServiceServer
	got chan<- []tracetest.Span
}

func (t taker) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	t.got <- tracetest.Read(r)
	return &collector.ExportTraceServiceResponse{}, nil
}

// off takes an invocation through everything that a worker asks of a tracer.
func off(t *Tracer, inv *invocation.Invocation, h http.Header, err error) {
	a := t.Attempt(inv, h)
	_, _ = a.Context()
	a.End(inv, Answer{Status: 200})
	t.Callback(inv, inv, h)
	t.Settled(inv, h, a, Settlement{Outcome: invocation.OutcomeDone, Err: err})
}

func TestOffCostsNothing(t *testing.T) {
	tr, log := open(t)
	inv, h, err := made("fn"), from(callers), errors.New("x")
	switch n := testing.AllocsPerRun(100, func() { off(tr, inv, h, err) }); {
	case n != 0:
		t.Errorf("%v allocations, want 0", n)
	case inv.Trace != nil:
		t.Errorf("%+v, want nil", inv.Trace)
	case log.Len() != 0:
		t.Errorf("%v allocations, %+v, %s: log.Len() = %d, want 0", n, inv.Trace, log, log.Len())
	}
	tr.Close(t.Context())
}

func BenchmarkTraces(b *testing.B) {
	inv, h := made("fn"), from(callers)
	b.Run("off", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			off(nil, inv, h, nil)
		}
	})
	b.Run("on", func(b *testing.B) {
		b.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", tracetest.New(b).URL)
		tr := New(b.Context(), "bench", slog.New(slog.DiscardHandler))
		b.ReportAllocs()
		for b.Loop() {
			off(tr, inv, h, nil)
		}
		tr.Close(b.Context())
	})
}
