package invoke

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/invocation"
)

// headerByMap makes the header of a function's call in a map, by the rules that every version of this program had.
func headerByMap(c *Client, call Call) (http.Header, error) {
	h := pass(call.Request.Header, ours(call)...)
	count, size := 0, 0
	for name, values := range h {
		count += len(values)
		for _, v := range values {
			size += len(name) + len(v) + fieldOverhead
		}
	}
	switch {
	case count > maxFields:
		return nil, errFields
	case size > maxHeaderBytes:
		return nil, errHeaderBytes
	}
	h["X-Call-Id"], h["X-Retry"] = []string{callID(call)}, []string{strconv.Itoa(call.Retry)}
	if call.RetryMax >= 0 {
		h["X-Retry-Max"] = []string{strconv.Itoa(call.RetryMax)}
	}
	if t := call.Terms; t != nil && !t.Expires.IsZero() {
		h["X-Deadline"] = []string{t.Expires.UTC().Format(time.RFC3339Nano)}
	}
	if t := call.Terms; t != nil && t.Source == invocation.SourceMailbox {
		h["X-Retries"], h["X-Delay-Duration"] = []string{strconv.Itoa(call.Retry)}, []string{strconv.Itoa(int(t.Delay.Seconds()))}
		if t.MaxRetries >= 0 {
			h["X-Max-Retries"] = []string{strconv.Itoa(t.MaxRetries)}
		}
	}
	if call.TraceParent != "" {
		h["Traceparent"] = []string{call.TraceParent}
		delete(h, "Tracestate")
		if call.TraceState != "" {
			h["Tracestate"] = []string{call.TraceState}
		}
	}
	if timeout := c.timeoutOf(call); timeout > 0 && (call.Timeout > 0 || strings.TrimSpace(call.Request.Header.Get("X-Timeout")) != "") {
		h["X-Timeout"] = []string{timeout.String()}
	}
	for name, value := range map[string]string{"User-Agent": "queue-worker/" + c.version, "Idempotency-Key": call.ID.String()} {
		if strings.TrimSpace(h.Get(name)) == "" {
			h[name] = []string{value}
		}
	}
	if err := sendable(h); err != nil {
		return nil, err
	}
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, ok := h[name]; ok {
			delete(h, name)
			h[strings.ToLower(name)] = values
		}
	}
	return h, nil
}

// callsOf are calls with every combination of what the header depends on beside the caller's own.
func callsOf(r *invocation.Request) (all []Call) {
	terms := []*invocation.Terms{
		nil, {Source: invocation.SourceHTTP, Expires: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)},
		{Source: invocation.SourceMailbox, MaxRetries: 7, Delay: 90 * time.Second}, {Source: invocation.SourceMailbox, MaxRetries: -1},
	}
	for n := range 32 {
		call := Call{ID: testID, Request: r, Terms: terms[n%4], Retry: n % 3, RetryMax: []int{-1, 200}[n/4%2], CallID: []string{"", "call"}[n/8%2]}
		if n/16%2 == 1 {
			call.TraceParent, call.TraceState, call.Timeout = "00-ours", []string{"", "c=3"}[n%2], time.Minute
		}
		all = append(all, call)
	}
	return all
}

// checkBothWays holds a small request against what net/http would write of the header by map.
func checkBothWays(t *testing.T, c *Client, call Call) {
	t.Helper()
	r := call.Request
	want, wantErr := headerByMap(c, call)
	f, err := c.functionHeader(nil, call)
	if err != nil || wantErr != nil {
		// Which illegal field is named was the order of a map.
		if (err == nil) != (wantErr == nil) || (err == errFields) != (wantErr == errFields) || (err == errHeaderBytes) != (wantErr == errHeaderBytes) {
			t.Fatalf("error is %v, want %v, of %v", err, wantErr, r.Header)
		}
		return
	}
	for name, values := range want {
		if len(values) == 0 {
			delete(want, name) // nothing is written of it
		}
	}
	if d := cmp.Diff(want, f.header()); d != "" {
		t.Fatalf("header (-want +got):\n%s", d)
	}
	u, err := target(c.gateway, r.Function, r.Path, r.QueryString)
	uri, uriErr := requestURI(c.prefix, r.Function, r.Path, r.QueryString)
	if err != nil || uriErr != nil {
		if (err == nil) != (uriErr == nil) {
			t.Fatalf("errors of the target are %v and %v: err == nil = %v, want %v", err, uriErr, err == nil, uriErr == nil)
		}
		return
	}
	body, err := io.ReadAll(r.Body())
	if err != nil {
		t.Fatal(err)
	}
	var wire bytes.Buffer
	req := &http.Request{Method: http.MethodPost, URL: u, Header: want, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: r.BodyLen()}
	if len(body) == 0 {
		req.Body = http.NoBody
	}
	if err := req.Write(&wire); err != nil {
		t.Fatalf("net/http cannot write it: %v, want nil", err)
	}
	got, err := appendBody((&head{uri: uri, host: c.gateway.Host, fields: f}).appendTo([]byte("what was there")[:0], r.BodyLen()), r)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(wire.String(), string(got)); d != "" {
		t.Fatalf("request (-net/http +ours):\n%s", d)
	}
}

var oddHeaders = []http.Header{
	nil,
	{"Connection": {"", "close, X-A"}, "X-A": {"1"}, "X_a": {"2"}, "Te": {"trailers"}, "Transfer-Encoding": {"chunked"}, "Transfer_encoding": {"chunked"}},
	{"X-Retry": {"9"}, "X_retry": {"9"}, "X-Call-Id": {"a", "b"}, "Idempotency-Key": {"", "k"}, "X-Idempotency-Key": {"z"}, "X-Deadline": {"no"}, "X-Timeout": {"1h"}},
	{"Idempotency-Key": {"k", "l"}, "User-Agent": {" agent ", "second"}, "Traceparent": {"a", "b"}, "Tracestate": {"c"}, "X-Retries": {"3"}, "X-Max-Retries": {"4"}},
	{"User-Agent": {"", "b"}, "Accept": {"*/*", " a\t", ""}, "X-None": {}, "X-Nil": nil, "Cookie": {"a=b"}, "Proxy": {"http://evil"}, "X-Openfaas-Internal": {"p"}},
	{"A b": {"c"}, "X-B": {"c"}}, {"A b": nil}, {"X-A": {"b\r\nX-Evil: 1"}}, {"X-A": {strings.Repeat("x", maxHeaderBytes)}, "A b": {"c"}},
	{"X-Many": slices.Repeat([]string{"v"}, maxFields)}, {"X-Many": slices.Repeat([]string{"v"}, maxFields+1), "A b": nil},
}

func TestASmallRequestIsWrittenByteForByteAsNetHTTPWould(t *testing.T) {
	t.Parallel()
	gateways := []string{"http://gw:8080", "http://gw/open%2Ffaas/a%20b", "http://[::1]:80/x/"}
	for _, gateway := range gateways {
		u, err := url.Parse(gateway)
		if err != nil {
			t.Fatal(err)
		}
		c := New(Options{Gateway: u, Version: "1.2.3", Timeout: time.Hour})
		for _, h := range oddHeaders {
			for n, path := range []string{"", "/", "/v1/job%2F", "/with space/ä", "/a//b", "no slash"} {
				r := decoded(t, types.QueueRequest{Function: "figlet", Body: []byte(strings.Repeat("x", n)), QueryString: []string{"", "a=b&c"}[n%2]})
				r.Header, r.Path = h, path
				for _, call := range callsOf(r) {
					checkBothWays(t, c, call)
				}
			}
		}
	}
}

// FuzzBothWays lets a caller choose header, path and query.
func FuzzBothWays(f *testing.F) {
	for n, h := range oddHeaders {
		header, err := json.Marshal(h)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(header, "/v1/job", "a=b", n)
	}
	c := New(Options{Gateway: &url.URL{Scheme: "http", Host: "gw", Path: "/x"}, Version: "1.2.3"})
	f.Fuzz(func(t *testing.T, header []byte, path, query string, n int) {
		var h http.Header
		if json.Unmarshal(header, &h) != nil {
			return
		}
		message, err := json.Marshal(types.QueueRequest{Function: "f", Header: h, Path: path, QueryString: query, Body: header[:min(len(header), smallBody)]})
		if err != nil {
			return
		}
		r, err := invocation.Decode(message)
		if err != nil {
			return
		}
		calls := callsOf(r)
		checkBothWays(t, c, calls[uint(n)%uint(len(calls))])
	})
}

func TestWhatIsKeptOfAHeaderHoldsNothingOfAMessage(t *testing.T) {
	h := &head{uri: "/secret", host: "gw", fields: fields{{"X-A", "secret"}}}
	kept := h.fields
	h.free()
	switch {
	case kept[0] != (field{}):
		t.Errorf("kept is %+v: kept[0] = %+v, want %+v", h, kept[0], field{})
	case h.uri != "":
		t.Errorf("kept is %+v, want uri \"\"", h)
	}
}
