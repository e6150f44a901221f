package ingest_test

import (
	"log/slog"
	"net/http"
	"testing"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/trace"
	"queue-worker/pkg/trace/tracetest"
)

// TestASubmissionIsASpanOfItsCallersTrace, and what is accepted stands below it. The
// second one has the key of the first and gets its id.
func TestASubmissionIsASpanOfItsCallersTrace(t *testing.T) {
	const id = "0af7651916cd43dd8448eb211c80319c"
	receiver := tracetest.New(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	tracer := trace.New(t.Context(), "test", slog.New(slog.DiscardHandler))
	r := newRig(t, func(o *apitest.Options) { o.Ingest.Tracer = tracer })
	send := func(path, body string) apitest.Answer {
		return r.Post(t, path, body, "Traceparent", "00-"+id+"-b7ad6b7169203331-01", "Tracestate", "vendor=1", "Idempotency-Key", "k")
	}
	first := send("/async-function/fn/x?secret=1", "body")
	taken := r.Accepts.Only(t)
	q, _ := apitest.Decoded(t, taken.Raw)
	send("/async-function/fn/x?secret=1", "body")
	if refused := send("/async-function/fn", "another"); refused.Status != http.StatusUnprocessableEntity {
		t.Fatalf("%+v, want status %d", refused, http.StatusUnprocessableEntity)
	}
	tracer.Close(t.Context())
	all := receiver.Await(t, 3)
	for i, s := range all {
		switch {
		case s.Name != "accept fn":
			t.Errorf(`%+v, want name "accept fn"`, s)
		case s.Kind != "producer":
			t.Errorf(`%+v, want kind "producer"`, s)
		case s.Trace != id:
			t.Errorf("%+v, want trace %v", s, id)
		case s.Parent != "b7ad6b7169203331":
			t.Errorf(`%+v, want parent "b7ad6b7169203331"`, s)
		case s.Error != (i == 2):
			t.Errorf("%+v, want error %v", s, i == 2)
		}
	}
	switch {
	case all[0].Attributes["messaging.message.id"] != first.Header.Get("X-Invocation-Id"):
		t.Errorf(`%+v, want all[0].Attributes["messaging.message.id"] %v`, all, first.Header.Get("X-Invocation-Id"))
	case all[1].Attributes["messaging.message.id"] != taken.Inv.ID.String():
		t.Errorf(`%+v, want all[1].Attributes["messaging.message.id"] %v`, all, taken.Inv.ID.String())
	}
	switch got := q.Header; {
	case got.Get("Traceparent") != "00-"+id+"-"+all[0].ID+"-01":
		t.Errorf("it has %v, want traceparent %v", got, "00-"+id+"-"+all[0].ID+"-01")
	case got.Get("Tracestate") != "vendor=1":
		t.Errorf(`it has %v, want tracestate "vendor=1"`, got)
	}
}

// TestTheMailboxAndTheProducerMakeSpans, of which the attempts are children.
func TestTheMailboxAndTheProducerMakeSpans(t *testing.T) {
	const id = "0af7651916cd43dd8448eb211c80319c"
	receiver := tracetest.New(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	tracer := trace.New(t.Context(), "test", slog.New(slog.DiscardHandler))
	r := newRig(t, func(o *apitest.Options) { o.Ingest.Tracer = tracer })
	caller := []string{"Traceparent", "00-" + id + "-b7ad6b7169203331-01"}
	r.Post(t, "/deadletter/fn", "body", caller...)
	r.Post(t, "/queue/producer", `{"message": "m", "callback_url": "http://hooks.example.com/x"}`, caller...)
	tracer.Close(t.Context())
	all := receiver.Await(t, 2)
	for i, want := range []struct{ name, source string }{{"accept fn", "mailbox"}, {"accept", "producer"}} {
		s := all[i]
		if s.Name != want.name || s.Attributes["queue_worker.source"] != want.source {
			t.Errorf("got %+v, want the span %q of the source %s", s, want.name, want.source)
		}
		if s.Trace != id || s.Parent != "b7ad6b7169203331" {
			t.Errorf("got %+v, want a child of the caller's span", s)
		}
		q, _ := apitest.Decoded(t, r.Accepts.All()[i].Raw)
		if got, want := q.Header.Get("Traceparent"), "00-"+id+"-"+s.ID+"-01"; got != want {
			t.Errorf("%s: got traceparent %q, want %q", want, got, want)
		}
	}
}
