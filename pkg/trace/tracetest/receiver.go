// Package tracetest is a receiver of spans for tests: it speaks OTLP over HTTP, and
// describes what arrived in the words that tests compare.
package tracetest

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span as it came.
type Span struct {
	Name, Kind string
	// Trace is the trace's id, ID the span's, Parent that of its parent ("" for none).
	Trace, ID, Parent string
	State             string   // tracestate
	Links             []string // ids of the spans, all of the same trace unless they begin with another's id and "/"
	Attributes        map[string]string
	Resource          map[string]string
	Error             bool
	Begun, Ended      time.Time
}

// Receiver takes spans in.
type Receiver struct {
	URL string // for OTEL_EXPORTER_OTLP_ENDPOINT

	mu     sync.Mutex
	spans  []Span
	raw    []byte
	answer int           // status; 0: 200
	came   chan struct{} // closed and replaced when something came
}

// maxRequest bounds what a test sends at once, in bytes.
const maxRequest = 64 << 20

// New starts a receiver, which ends with the test.
func New(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{came: make(chan struct{})}
	s := httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(s.Close)
	r.URL = s.URL
	return r
}

// Answer lets the receiver answer everything with a status, and take nothing in.
// 0 lets it work again.
func (r *Receiver) Answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = status
}

func (r *Receiver) take(w http.ResponseWriter, req *http.Request) {
	body, err := read(req)
	var sent collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &sent)
	}
	if err != nil || req.URL.Path != "/v1/traces" {
		http.Error(w, fmt.Sprintf("not a request of OTLP: %v", err), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.came)
	r.came = make(chan struct{})
	if r.answer != 0 {
		w.WriteHeader(r.answer)
		return
	}
	r.raw = append(r.raw, body...)
	r.spans = append(r.spans, Read(&sent)...)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func read(req *http.Request) ([]byte, error) {
	from := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(req.Body)
		if err != nil {
			return nil, err
		}
		from = z
	}
	return io.ReadAll(io.LimitReader(from, maxRequest))
}

// Read returns what is in a request.
func Read(sent *collector.ExportTraceServiceRequest) []Span {
	var all []Span
	for _, rs := range sent.GetResourceSpans() {
		resource := attributes(rs.GetResource().GetAttributes())
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				all = append(all, span(s, resource))
			}
		}
	}
	return all
}

func span(s *tracepb.Span, resource map[string]string) Span {
	out := Span{
		Name: s.GetName(), Kind: kinds[s.GetKind()], Trace: hex.EncodeToString(s.GetTraceId()),
		ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()), State: s.GetTraceState(),
		Attributes: attributes(s.GetAttributes()), Resource: resource,
		Error: s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR,
		Begun: at(s.GetStartTimeUnixNano()), Ended: at(s.GetEndTimeUnixNano()),
	}
	for _, l := range s.GetLinks() {
		id := hex.EncodeToString(l.GetSpanId())
		if other := hex.EncodeToString(l.GetTraceId()); other != out.Trace {
			id = other + "/" + id
		}
		out.Links = append(out.Links, id)
	}
	return out
}

func at(nanos uint64) time.Time { return time.Unix(0, int64(nanos)) } // #nosec G115 -- a time of a test

var kinds = map[tracepb.Span_SpanKind]string{
	tracepb.Span_SPAN_KIND_CLIENT: "client", tracepb.Span_SPAN_KIND_INTERNAL: "internal", tracepb.Span_SPAN_KIND_PRODUCER: "producer",
}

func attributes(all []*common.KeyValue) map[string]string {
	m := make(map[string]string, len(all))
	for _, kv := range all {
		m[kv.GetKey()] = text(kv.GetValue())
	}
	return m
}

func text(v *common.AnyValue) string {
	switch x := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return x.StringValue
	case *common.AnyValue_IntValue:
		return fmt.Sprint(x.IntValue)
	case *common.AnyValue_BoolValue:
		return fmt.Sprint(x.BoolValue)
	}
	return v.String()
}

// Spans are those that came so far, in the order in which they came.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Span(nil), r.spans...)
}

// Raw are the bytes of all that came.
func (r *Receiver) Raw() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]byte(nil), r.raw...)
}

// Came is closed when something comes, whatever the answer to it.
func (r *Receiver) Came() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.came
}

// Await waits until so many spans have come.
func (r *Receiver) Await(t testing.TB, n int) []Span {
	t.Helper()
	for {
		next := r.Came()
		if s := r.Spans(); len(s) >= n {
			return s
		}
		select {
		case <-next:
		case <-t.Context().Done():
			t.Fatalf("%d spans came, not %d", len(r.Spans()), n)
		case <-time.After(time.Minute):
			t.Fatalf("%d spans came within a minute, not %d: %+v", len(r.Spans()), n, r.Spans())
		}
	}
}
