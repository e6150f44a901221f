package invoke

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"
	"golang.org/x/net/http/httpguts"

	"queue-worker/pkg/invocation"
)

func TestHeadersThatCannotBeSentAreMalformed(t *testing.T) {
	t.Parallel()
	many := http.Header{}
	for i := range maxFields + 1 {
		many.Add("X-Many", strings.Repeat("x", i%3))
	}
	tests := []struct {
		name   string
		header http.Header
		callID string
		want   string
	}{
		{"a line end in a value", http.Header{"X-A": {"b\r\nX-Evil: 1"}}, "", "the header field X-A has an illegal value"},
		{"a NUL in a value", http.Header{"X-A": {"ok", "b\x00"}}, "", "the header field X-A has an illegal value"},
		{"a DEL in a value", http.Header{"X-A": {"\x7f"}}, "", "the header field X-A has an illegal value"},
		{"a space in a name", http.Header{"X A": {"b"}}, "", errFieldName.Error()},
		{"a colon in a name", http.Header{"X-A:": {"b"}}, "", errFieldName.Error()},
		{"a line end in a name", http.Header{"X-A\r\nX-Evil": {"b"}}, "", errFieldName.Error()},
		{"a name that is not ASCII", http.Header{"X-Ä": {"b"}}, "", errFieldName.Error()},
		{"an empty name", http.Header{"": {"b"}}, "", errFieldName.Error()},
		{"a pseudo header", http.Header{":authority": {"evil"}}, "", errFieldName.Error()},
		{"a hop-by-hop field in disguise", http.Header{"Connection ": {"close"}}, "", errFieldName.Error()},
		{"a call id with a line end", nil, "a\r\nb", "the header field X-Call-Id has an illegal value"},
		{"129 fields", many, "", errFields.Error()},
		{"more than 64 KiB", http.Header{"X-A": {strings.Repeat("x", maxHeaderBytes)}}, "", errHeaderBytes.Error()},
	}
	s := answering(t, wire(200, ""))
	c := newClient(t, s.address, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			call := callOf(t, "x")
			call.Request.Header, call.CallID = tt.header, tt.callID
			r := c.Function(t.Context(), call)
			if !r.Malformed || r.Status != 0 || r.Cause != "" || r.Detail != tt.want {
				t.Errorf("result is %+v, want %q", r, tt.want)
			}
		})
	}
	t.Cleanup(func() {
		if n := len(s.seen()); n != 0 {
			t.Errorf("%d of them were sent, want 0", n)
		}
	})
}

func TestHeadersAtTheirLimitsAreSent(t *testing.T) {
	t.Parallel()
	many := http.Header{"X-A": {strings.Repeat("x", maxHeaderBytes-len("X-A")-fieldOverhead)}}
	fields := http.Header{"X-Many": slices.Repeat([]string{""}, maxFields), "Connection": {"a", "b"}}
	s := answering(t, wire(200, ""))
	c := newClient(t, s.address, nil)
	for _, h := range []http.Header{many, fields, {"X-A": {"\xff\t ä"}}} {
		call := callOf(t, "x")
		call.Request.Header = h
		if r := c.Function(t.Context(), call); r.Status != 200 {
			t.Errorf("result is %+v, want Status 200", r)
		}
	}
}

func TestTheStoredHeaderIsNotChanged(t *testing.T) {
	t.Parallel()
	s := answering(t, wire(200, ""))
	c := newClient(t, s.address, nil)
	call := callOf(t, "x")
	call.Request.Header = http.Header{"Idempotency-Key": {"k"}, "X-Retry": {"9"}, "Connection": {"close"}, "X-A": {"b"}}
	want := call.Request.Header.Clone()
	c.Function(t.Context(), call)
	c.Callback(t.Context(), "http://"+s.address+"/", call)
	if d := cmp.Diff(want, call.Request.Header); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// FuzzHeaders lets a caller choose the header, as JSON, and reads it as a server
// would: no field of a connection is left, none of ours is forged, and all of it
// is legal.
func FuzzHeaders(f *testing.F) {
	for _, h := range []string{
		`{"Connection":["","close, X-A"],"X-A":["1"],"x-b":["2"],"Te":["trailers"],"transfer-encoding":["chunked"]}`,
		`{"X-Retry":["9"],"x_retry":["9"],"X-Call-Id":["a","b"],"idempotency-key":[""],"Idempotency-Key":["k"]}`,
		`{"A b":["c"],"Host":["evil"],"Content-Length":["0"],"Expect":["100-continue"]}`,
		`{"X-A":["b\r\nX-Evil: 1"],"Proxy-Connection":["keep-alive"],"Upgrade":["h2c"],"HTTP2-Settings":["x"]}`,
		`{"Proxy":["http://evil"],"Transfer_Encoding":["chunked"],"X.Call.Id":["a"],"X-Timeout":["1h"],"X_Deadline":["b"],"X-OpenFaaS-Internal":["p"]}`,
		`{"Connection":["x-retry, idempotency-key, user-agent, x-call-id"],"User-Agent":["a","b"]}`,
	} {
		f.Add([]byte(h))
	}
	c := New(Options{Gateway: &url.URL{Scheme: "http", Host: "gw"}, Version: "1.2.3"})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var sent http.Header
		if json.Unmarshal(raw, &sent) != nil {
			return
		}
		message, err := json.Marshal(types.QueueRequest{Function: "f", Header: sent})
		if err != nil {
			return
		}
		r, err := invocation.Decode(message)
		if err != nil {
			return
		}
		call := Call{ID: testID, CallID: "c1", Retry: 2, RetryMax: 3, Request: r}
		h, err := functionHeader(c, call)
		if err != nil {
			return
		}
		got := written(t, h)
		checkClean(t, got, r.Header)
		for name, want := range map[string]string{"X-Call-Id": "c1", "X-Retry": "2", "X-Retry-Max": "3"} {
			if d := cmp.Diff([]string{want}, got[name]); d != "" {
				t.Fatalf("%s: %s, want empty", name, d)
			}
		}
		if got.Get("Idempotency-Key") == "" && len(got["Idempotency-Key"]) < 2 || strings.HasPrefix(got.Get("User-Agent"), "Go-http") || got.Get("User-Agent") == "" {
			t.Fatalf("keys %q, agent %q", got["Idempotency-Key"], got["User-Agent"])
		}

		result := CallbackHeader(Result{Status: 200, Header: r.Header}, Meta{Function: "f", CallID: "c1", Retry: 2, RetryMax: 3, Version: "1"})
		if err := sendable(result); err != nil {
			t.Fatalf("a callback cannot be sent: %v, want nil", err)
		}
		got = written(t, result)
		checkClean(t, got, r.Header)
		for _, name := range []string{"Set-Cookie", "Authorization", "Www-Authenticate"} {
			if got[name] != nil {
				t.Fatalf("%s is passed on: got[name] = %q, want nil", name, got[name])
			}
		}
	})
}

// functionHeader is the header of a function's call as a map.
func functionHeader(c *Client, call Call) (http.Header, error) {
	f, err := c.functionHeader(nil, call)
	return f.header(), err
}

// sendable checks that every field can be written.
func sendable(h http.Header) error {
	for name := range h {
		if !httpguts.ValidHeaderFieldName(name) {
			return errFieldName
		}
	}
	var f fields
	for name, values := range h {
		for _, v := range values {
			f = append(f, field{name, v})
		}
	}
	return f.check()
}

// written sends h and reads it back.
func written(t *testing.T, h http.Header) http.Header {
	t.Helper()
	var b bytes.Buffer
	req := &http.Request{Method: http.MethodPost, URL: &url.URL{Scheme: "http", Host: "gw", Path: "/"}, Header: h}
	if err := req.Write(&b); err != nil {
		t.Fatalf("cannot be written: %v, want nil", err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&b))
	if err != nil {
		t.Fatalf("cannot be read: %v, want nil", err)
	}
	switch {
	case got.Host != "gw":
		t.Fatalf("host %q, want \"gw\"", got.Host)
	case got.ContentLength != 0:
		t.Fatalf("length %d, want 0", got.ContentLength)
	case len(got.TransferEncoding) > 0:
		t.Fatalf("host %q, length %d, encoding %q, want len 0", got.Host, got.ContentLength, got.TransferEncoding)
	}
	got.Header.Del("Content-Length") // ours, checked above
	return got.Header
}

// checkClean fails when got has a field that belonged to the connection over which
// original came.
func checkClean(t *testing.T, got, original http.Header) {
	t.Helper()
	banned := []string{
		"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Host", "Content-Length", "Expect", "Proxy",
		"X-Deadline", "X-Timeout", "X-Openfaas-Internal",
	}
	for name := range got {
		if folded := fold(name); slices.Contains(banned, folded) || folded != name && slices.Contains(known, folded) {
			t.Fatalf("%s is passed on", name)
		}
	}
	ours := []string{"X-Call-Id", "X-Retry", "X-Retry-Max", "Idempotency-Key", "User-Agent", HeaderDuration, HeaderStatus, HeaderFunctionName}
	for _, v := range original["Connection"] {
		for _, name := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' }) {
			if name = http.CanonicalHeaderKey(name); httpguts.ValidHeaderFieldName(name) && got[name] != nil && !slices.Contains(ours, name) && !strings.Contains(v, " ") {
				t.Fatalf("%s is passed on, which Connection names", name)
			}
		}
	}
	for name, values := range got {
		if !httpguts.ValidHeaderFieldName(name) {
			t.Fatalf("%q is sent: httpguts.ValidHeaderFieldName(name) = false, want true", name)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				t.Fatalf("%q is sent in %s: httpguts.ValidHeaderFieldValue(v) = false, want true", v, name)
			}
		}
	}
}

func TestFoldIsWhatCGIMakesOfAName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"X-Retry": "X-Retry", "X_retry": "X-Retry", "X.rETRY": "X-Retry", "Transfer_encoding": "Transfer-Encoding", "Proxy": "Proxy",
		"X_Retries": "X-Retries", "X~retry": "X-Retry", "Xretry": "Xretry", "Connection ": "Connection ", "A_b c": "A_b c", "": "",
	} {
		if got := fold(name); got != want {
			t.Errorf("fold(%q) is %q, want %q", name, got, want)
		}
	}
}

// The values of these fields come from the worker or not at all, in
// whatever spelling a caller, or the answer that a callback carries, has them.
func TestNoFieldOfTheWorkerIsForged(t *testing.T) {
	t.Parallel()
	names := []string{
		"Proxy", "Proxy-Authorization", "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Expect",
		"X-Call-Id", "X-Retry", "X-Retry-Max", "X-Deadline", "X-Timeout", "X-Openfaas-Internal",
	}
	odd := []string{"X-Retries", "X-Max-Retries", "X-Delay-Duration", "Idempotency-Key", "User-Agent", "X-Callback-Url", "X-Start-Time", "X-Retry-Limit", "X-Max-Age"}
	h := http.Header{}
	for _, name := range names {
		h[name] = []string{"forged"}
	}
	for _, name := range append(names, odd...) {
		for _, to := range []string{"_", "."} {
			h[http.CanonicalHeaderKey(strings.ReplaceAll(name, "-", to))] = []string{"forged"}
		}
	}
	h["Connection"], h["X-Mine"], h["X_mine"] = []string{"x-hop"}, []string{"1"}, []string{"2"}
	h["X-Hop"], h["X_hop"] = []string{"forged"}, []string{"forged"}
	c := New(Options{Gateway: &url.URL{Scheme: "http", Host: "gw"}, Version: "1.2.3"})
	call := callOf(t, "x")
	call.Request.Header = h
	sent, err := functionHeader(c, call)
	if err != nil {
		t.Fatal(err)
	}
	posted, err := c.postHeader(stored(t, h, "x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	// What a callback is posted with was made by CallbackHeader, so its own are kept.
	for _, name := range []string{"X-Call-Id", "X-Retry", "X-Retry-Max"} {
		delete(posted, name)
	}
	for what, got := range map[string]http.Header{"call": sent, "callback": CallbackHeader(Result{Header: h}, Meta{}), "post": posted} {
		for name, values := range got {
			if slices.Contains(values, "forged") {
				t.Errorf("a %s is sent with the forged %s: slices.Contains(values, \"forged\") = true, want false", what, name)
			}
		}
		switch {
		case got.Get("X-Mine") != "1":
			t.Errorf("a %s lacks a field of the caller's own: %v: got.Get(\"X-Mine\") = %q, want \"1\"", what, got, got.Get("X-Mine"))
		case len(got["X_mine"]) != 1:
			t.Errorf("a %s lacks a field of the caller's own: %v: len(got[\"X_mine\"]) = %d, want 1", what, got, len(got["X_mine"]))
		}
	}
}
