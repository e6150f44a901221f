package trace

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // a server that accepts it
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// TestDestinationComesFromTheVariables: URL, timeout, compression and header.
func TestDestinationComesFromTheVariables(t *testing.T) {
	for name, tt := range map[string]struct {
		env                 []string
		url, header, warned string
		timeout             time.Duration
		gzip                bool
	}{
		"nothing":          {url: "https://localhost:4318/v1/traces"},
		"all signals":      {env: []string{"ENDPOINT", "http://c:4318/base/"}, url: "http://c:4318/base/v1/traces"},
		"traces as it is":  {env: []string{"ENDPOINT", "http://x", "TRACES_ENDPOINT", "https://c/otlp"}, url: "https://c/otlp"},
		"traces, no path":  {env: []string{"TRACES_ENDPOINT", "http://c"}, url: "http://c/"},
		"insecure":         {env: []string{"INSECURE", "true"}, url: "http://localhost:4318/v1/traces"},
		"gRPC":             {env: []string{"PROTOCOL", "grpc", "ENDPOINT", "http://c:4317/ignored"}, url: "http://c:4317" + exportMethod},
		"gRPC's default":   {env: []string{"PROTOCOL", "grpc"}, url: "https://localhost:4317" + exportMethod},
		"traces before":    {env: []string{"TIMEOUT", "1", "TRACES_TIMEOUT", "250", "COMPRESSION", "gzip"}, timeout: 250 * time.Millisecond, gzip: true},
		"no compression":   {env: []string{"COMPRESSION", "gzip", "TRACES_COMPRESSION", "none"}},
		"a wrong timeout":  {env: []string{"TIMEOUT", "10s"}, warned: "OTEL_EXPORTER_OTLP_TIMEOUT: a positive number"},
		"headers":          {env: []string{"HEADERS", "x-a = b%20c , authorization=Basic%20a="}, header: "b c|Basic a="},
		"a wrong header":   {env: []string{"HEADERS", "x-a=b,bad name=secret,authorization=a"}, header: "b|a", warned: "parse headers"},
		"a line in a text": {env: []string{"HEADERS", "x-a=b%0d%0asecret:1"}, warned: "parse headers"},
		"no such file":     {env: []string{"CERTIFICATE", "/none"}, warned: "OTEL_EXPORTER_OTLP_CERTIFICATE is not usable"},
		"no key pair":      {env: []string{"TRACES_CLIENT_CERTIFICATE", "/none", "TRACES_CLIENT_KEY", "/none"}, warned: "_CLIENT_CERTIFICATE is not usable"},
	} {
		t.Run(name, func(t *testing.T) {
			clean(t)
			for i := 0; i < len(tt.env); i += 2 {
				t.Setenv("OTEL_EXPORTER_OTLP_"+tt.env[i], tt.env[i+1])
			}
			s := readSettings()
			s.protocol = map[bool]string{true: protocolGRPC, false: protocolProto}[os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc"]
			d, err := s.readDestination()
			if err != nil {
				t.Fatal(err)
			}
			warned := strings.Join(s.warnings, "\n")
			if got := d.header.Get("X-A") + "|" + d.header.Get("Authorization"); tt.header != "" && got != tt.header {
				t.Errorf("header %q, want %q", d.header, tt.header)
			}
			if tt.timeout == 0 {
				tt.timeout = sendTimeout
			}
			switch {
			case tt.url != "" && d.url.String() != tt.url:
				t.Errorf("%s, %v, gzip %v, want url %v", d.url, d.timeout, d.gzip, tt.url)
			case d.timeout != tt.timeout:
				t.Errorf("%s, %v, gzip %v, want timeout %v", d.url, d.timeout, d.gzip, tt.timeout)
			case d.gzip != tt.gzip:
				t.Errorf("%s, %v, gzip %v, want gzip %v", d.url, d.timeout, d.gzip, tt.gzip)
			}
			switch {
			case (warned != "") != (tt.warned != ""):
				t.Errorf("warned of %q: warned != \"\" = %v, want %v", warned, warned != "", tt.warned != "")
			case !strings.Contains(warned, tt.warned):
				t.Errorf("warned of %q, want %q in it", warned, tt.warned)
			case strings.Contains(warned, "secret"):
				t.Errorf("warned of %q, want no \"secret\" in it", warned)
			}
		})
	}
}

// export makes one span with the variables and closes the tracer.
func export(t *testing.T, pairs ...string) string {
	t.Helper()
	tr, log := open(t, pairs...)
	inv := made("fn")
	tr.Attempt(inv, from(callers)).End(inv, Answer{Status: 200})
	tr.Close(t.Context())
	return log.String()
}

// TestJSONHasIDsInHexAndEnumsAsNumbers, as the specification of OTLP has them.
func TestJSONHasIDsInHexAndEnumsAsNumbers(t *testing.T) {
	var body []byte
	var header http.Header
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err == nil {
			body, err = io.ReadAll(z)
		}
		if err != nil {
			t.Error(err)
		}
		header = r.Header
	}))
	defer s.Close()
	export(t, "OTEL_EXPORTER_OTLP_ENDPOINT", s.URL, "OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "OTEL_EXPORTER_OTLP_COMPRESSION", "gzip",
		"OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x")
	var got struct {
		ResourceSpans []struct {
			ScopeSpans []struct {
				Spans []struct {
					TraceID           string `json:"traceId"`
					ParentSpanID      string `json:"parentSpanId"`
					Kind              int
					StartTimeUnixNano string
				}
			}
		}
	}
	switch err := json.Unmarshal(body, &got); {
	case err != nil:
		t.Fatalf("%v in %s: err = %v, want nil", err, body, err)
	case len(got.ResourceSpans) != 1:
		t.Fatalf("%v in %s: len(got.ResourceSpans) = %d, want 1", err, body, len(got.ResourceSpans))
	}
	span := got.ResourceSpans[0].ScopeSpans[0].Spans[0]
	switch {
	case span.TraceID != callersTrace:
		t.Errorf("%+v, want TraceID %q", span, callersTrace)
	case span.ParentSpanID != callersSpan:
		t.Errorf("%+v, want ParentSpanID %q", span, callersSpan)
	case span.Kind != int(tracepb.Span_SPAN_KIND_CLIENT):
		t.Errorf("%+v, want Kind %d", span, int(tracepb.Span_SPAN_KIND_CLIENT))
	case span.StartTimeUnixNano == "":
		t.Errorf("%+v, want StartTimeUnixNano not \"\"", span)
	}
	switch {
	case header.Get("Content-Type") != "application/json":
		t.Errorf("%v: header.Get(\"Content-Type\") = %q, want \"application/json\"", header, header.Get("Content-Type"))
	case header.Get("Authorization") != "Bearer x":
		t.Errorf("%v: header.Get(\"Authorization\") = %q, want \"Bearer x\"", header, header.Get("Authorization"))
	case !strings.HasPrefix(header.Get("User-Agent"), "OTel OTLP Exporter Go/"):
		t.Errorf("%v: header.Get(\"User-Agent\") = %q, want it to begin with %q", header, header.Get("User-Agent"), "OTel OTLP Exporter Go/")
	}
}

// TestSpansGoToAReceiverWithAnAuthorityOfItsOwn: the certificate of the variable is
// trusted, over HTTP and gRPC's HTTP/2, and never left out in silence.
func TestSpansGoToAReceiverWithAnAuthorityOfItsOwn(t *testing.T) {
	came := make(chan string, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came <- r.Proto + r.URL.Path
		w.Header().Set("Grpc-Status", "0")
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for protocol, want := range map[string]string{"http/protobuf": "HTTP/2.0/v1/traces", "grpc": "HTTP/2.0" + exportMethod} {
		log := export(t, "OTEL_EXPORTER_OTLP_ENDPOINT", s.URL, "OTEL_EXPORTER_OTLP_CERTIFICATE", file, "OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
		if strings.Contains(log, "WARN") {
			t.Fatal(log)
		}
		if got := <-came; got != want {
			t.Errorf("%s: %s, want %q", protocol, got, want)
		}
	}
	tr, log := open(t, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_CERTIFICATE", file)
	switch {
	case tr != nil:
		t.Errorf("on: %v, %s: tr = %+v, want nil", tr != nil, log, tr)
	case !strings.Contains(log.String(), "not an https:// URL"):
		t.Errorf("on: %v, %s: log.String() = %q, want \"not an https:// URL\" in it", tr != nil, log, log.String())
	}
}

// answers are those of a receiver, one after the other; the last one stays.
type answers struct {
	all  []*http.Response
	sent int
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	a.sent++
	next := a.all[0]
	if len(a.all) > 1 {
		a.all = a.all[1:]
	}
	if next == nil {
		return nil, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	}
	next.Status = http.StatusText(next.StatusCode)
	if next.Body == nil {
		next.Body = http.NoBody
	}
	return next, nil
}

func answer(status int, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Trailer: http.Header{}}
}

// TestUploadIsSentAgainOnlyAsOTLPAllows, after the wait that the receiver asks for,
// and given up after a minute.
func TestUploadIsSentAgainOnlyAsOTLPAllows(t *testing.T) {
	for name, tt := range map[string]struct {
		protocol string
		answers  []*http.Response
		sent     int // 0: more than 2
		least    time.Duration
		err      string
	}{
		"accepted":              {answers: []*http.Response{answer(200)}, sent: 1},
		"refused":               {answers: []*http.Response{answer(400)}, sent: 1, err: "Bad Request"},
		"an error of its own":   {answers: []*http.Response{answer(500)}, sent: 1, err: "Internal"},
		"unavailable, then not": {answers: []*http.Response{answer(503), answer(200)}, sent: 2, least: firstWait / 2},
		"too slow, then not":    {answers: []*http.Response{nil, answer(200)}, sent: 2, least: firstWait / 2},
		"it asks for 20 s":      {answers: []*http.Response{answer(429, "Retry-After", "20"), answer(200)}, sent: 2, least: 20 * time.Second},
		"it asks for an hour":   {answers: []*http.Response{answer(429, "Retry-After", "3600")}, sent: 1, err: "Too Many"},
		"for ever unavailable":  {answers: []*http.Response{answer(502)}, err: "Bad Gateway", least: 10 * time.Second},
		"gRPC accepted":         {protocol: protocolGRPC, answers: []*http.Response{answer(200, "Grpc-Status", "0")}, sent: 1},
		"gRPC refused": {
			protocol: protocolGRPC, answers: []*http.Response{answer(200, "Grpc-Status", "16", "Grpc-Message", "no%20token")}, sent: 1, err: "16: no token",
		},
		"gRPC unavailable": {
			protocol: protocolGRPC, answers: []*http.Response{answer(200, "Grpc-Status", "14"), answer(200, "Grpc-Status", "0")}, sent: 2, least: firstWait / 2,
		},
		"a proxy before gRPC": {protocol: protocolGRPC, answers: []*http.Response{answer(403)}, sent: 1, err: "Forbidden"},
		"no gRPC at all":      {protocol: protocolGRPC, answers: []*http.Response{answer(200)}, sent: 1, err: "without the status"},
	} {
		t.Run(name, func(t *testing.T) {
			clean(t)
			synctest.Test(t, func(t *testing.T) {
				s := settings{protocol: protocolProto}
				if tt.protocol != "" {
					s.protocol = tt.protocol
				}
				d, err := s.readDestination()
				if err != nil {
					t.Fatal(err)
				}
				c := newClient(d, s.protocol)
				receiver := &answers{all: tt.answers}
				c.http = &http.Client{Transport: receiver}
				begun := time.Now()
				err = c.UploadTraces(t.Context(), nil)
				if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v", err)
				}
				switch took := time.Since(begun); {
				case took < tt.least:
					t.Errorf("took %v, want at least %v", took, tt.least)
				case took > allWaits+longestWait:
					t.Errorf("took %v, want at most %v", took, allWaits+longestWait)
				}
				if receiver.sent != tt.sent && (tt.sent != 0 || receiver.sent < 3) {
					t.Errorf("sent %d times", receiver.sent)
				}
			})
		})
	}
}

// TestAStopEndsTheWaitForTheNextUpload, and says why the upload failed.
func TestAStopEndsTheWaitForTheNextUpload(t *testing.T) {
	clean(t)
	synctest.Test(t, func(t *testing.T) {
		s := settings{protocol: protocolProto}
		d, _ := s.readDestination()
		c := newClient(d, s.protocol)
		c.http = &http.Client{Transport: &answers{all: []*http.Response{answer(503)}}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := c.UploadTraces(ctx, nil); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "Unavailable") {
			t.Error(err)
		}
	})
}

// TestRejectedSpansAreAnError: an answer of 200 may say that spans were not taken.
func TestRejectedSpansAreAnError(t *testing.T) {
	partial, err := proto.Marshal(&collector.ExportTraceServiceResponse{
		PartialSuccess: &collector.ExportTracePartialSuccess{RejectedSpans: 3, ErrorMessage: "too old"},
	})
	if err != nil {
		t.Fatal(err)
	}
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 9, protowire.VarintType), 7)
	for name, tt := range map[string]struct {
		body []byte
		kind string
		lost bool
	}{
		"nothing":              {kind: typeProto},
		"protobuf":             {partial, typeProto, true},
		"beside unknown field": {append(unknown, partial...), typeProto, true},
		"cut":                  {partial[:1], typeProto, false},
		"another type":         {partial, "text/html", false},
		"JSON":                 {[]byte(`{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}`), typeJSON, true},
		"JSON, a number":       {[]byte(`{"partialSuccess":{"rejectedSpans":3,"errorMessage":"too old"}}`), typeJSON, true},
		"JSON, nothing":        {[]byte(`{}`), typeJSON, false},
	} {
		err := checkRejected(tt.body, tt.kind)
		if (err != nil) != tt.lost || err != nil && !strings.Contains(err.Error(), "3 spans: too old") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheRequestIsThatOfTheCollectorsService: TracesData stands for it on the wire.
func TestTheRequestIsThatOfTheCollectorsService(t *testing.T) {
	spans := []*tracepb.ResourceSpans{{SchemaUrl: "s", ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{{Name: "n", TraceId: []byte("0123456789abcdef")}}}}}}
	got, err := marshal(spans, false)
	if err != nil {
		t.Fatal(err)
	}
	want, err := proto.Marshal(&collector.ExportTraceServiceRequest{ResourceSpans: spans})
	switch {
	case err != nil:
		t.Errorf("%x, not %x (%v): err = %v, want nil", got, want, err, err)
	case !bytes.Equal(got, want):
		t.Errorf("%x, want %q", got, want)
	}
}

// TestAnErrorOfARealGRPCServerIsLogged, compressed requests and fields of the header
// included.
func TestAnErrorOfARealGRPCServerIsLogged(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var sent metadata.MD
	s := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, _ any, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
		sent, _ = metadata.FromIncomingContext(ctx)
		return nil, status.Error(codes.PermissionDenied, "not with that token")
	}))
	collector.RegisterTraceServiceServer(s, taker{})
	go func() { _ = s.Serve(l) }()
	defer s.Stop()
	clean(t, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+l.Addr().String(), "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc",
		"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", "OTEL_EXPORTER_OTLP_HEADERS", "x-token=abc")
	set := readSettings()
	exporter, err := newExporter(t.Context(), &set)
	if err != nil {
		t.Fatal(err)
	}
	err = exporter.ExportSpans(t.Context(), []trace.ReadOnlySpan{(&recorded{}).one(t)})
	if err == nil || !strings.Contains(err.Error(), "gRPC status 7: not with that token") {
		t.Error(err)
	}
	if d := cmp.Diff([]string{"abc"}, sent.Get("x-token")); d != "" {
		t.Error(d)
	}
}

// recorded keeps the spans that it exports.
type recorded struct{ spans []trace.ReadOnlySpan }

func (r *recorded) ExportSpans(_ context.Context, s []trace.ReadOnlySpan) error {
	r.spans = append(r.spans, s...)
	return nil
}
func (*recorded) Shutdown(context.Context) error { return nil }

func (r *recorded) one(t *testing.T) trace.ReadOnlySpan {
	t.Helper()
	p := trace.NewTracerProvider(trace.WithSyncer(r))
	_, span := p.Tracer("t").Start(t.Context(), "n")
	span.End()
	return r.spans[0]
}
