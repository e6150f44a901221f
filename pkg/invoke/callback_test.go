package invoke

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/egress"
	"queue-worker/pkg/invocation"
)

func TestCallbackHeader(t *testing.T) {
	t.Parallel()
	answer := http.Header{
		"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}, "Date": {"now"}, "X-Served-By": {"a", "b"},
		"Content-Length": {"9"}, "Transfer-Encoding": {"chunked"}, "Connection": {"X-Hop, keep-alive", "x-other"}, "X-Hop": {"1"}, "X-Other": {"1"},
		"Keep-Alive": {"timeout=5"}, "Upgrade": {"h2c"}, "Trailer": {"T"}, "Te": {"trailers"}, "Host": {"h"}, "Expect": {"100-continue"},
		"Set-Cookie": {"CANARY=1"}, "Set-Cookie2": {"CANARY=1"}, "Cookie": {"CANARY=1"}, "Www-Authenticate": {"Basic"},
		"Authorization": {"Bearer CANARY"}, "Authentication-Info": {"x"}, "Proxy-Authenticate": {"Basic"}, "Proxy-Authentication-Info": {"x"},
		"X-Call-Id": {"forged"}, "X-Function-Status": {"200"}, "X_Function_Status": {"200"}, "X-Function-Name": {"forged"},
		"X-Duration-Seconds": {"1"}, "X-Retry": {"9"}, "X-Retry-Max": {"9"}, "X-Body-Truncated": {"true"}, "User-Agent": {"forged"},
		"X-Bad": {"a\x00b"}, "Bad Name": {"x"},
	}
	passed := http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}, "Date": {"now"}, "X-Served-By": {"a", "b"}}
	with := func(h http.Header, pairs ...string) http.Header {
		h = h.Clone()
		if h == nil {
			h = http.Header{}
		}
		for i := 0; i < len(pairs); i += 2 {
			h[pairs[i]] = []string{pairs[i+1]}
		}
		return h
	}
	tests := []struct {
		name   string
		result Result
		meta   Meta
		want   http.Header
	}{
		{
			"an answer with everything that must not pass",
			Result{Status: 500, Header: answer, Duration: 1500 * time.Millisecond},
			Meta{Function: "figlet.openfaas-fn", CallID: "c1", Retry: 2, RetryMax: 10, Version: "1.2.3"},
			with(passed, "X-Duration-Seconds", "1.500000", "X-Function-Status", "500", "X-Function-Name", "figlet.openfaas-fn",
				"X-Call-Id", "c1", "X-Retry", "2", "X-Retry-Max", "10", "User-Agent", "queue-worker/1.2.3"),
		},
		{
			"an answer that was cut, and no limit of retries",
			Result{Status: 200, Truncated: true, Duration: time.Microsecond},
			Meta{Function: "f", CallID: "c1", RetryMax: -1, Version: "1.2.3"},
			with(nil, "X-Duration-Seconds", "0.000001", "X-Function-Status", "200", "X-Function-Name", "f",
				"X-Call-Id", "c1", "X-Retry", "0", "User-Agent", "queue-worker/1.2.3", "X-Body-Truncated", "true"),
		},
		{
			"no call at all, and a call id that cannot be sent",
			Result{},
			Meta{Function: "f", CallID: "a\r\nX-Evil: 1", RetryMax: 0, Version: "1.2.3"},
			with(nil, "X-Duration-Seconds", "0.000000", "X-Function-Status", "503", "X-Function-Name", "f",
				"X-Retry", "0", "X-Retry-Max", "0", "User-Agent", "queue-worker/1.2.3"),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(tt.want, CallbackHeader(tt.result, tt.meta)); d != "" {
				t.Errorf("header (-want +got):\n%s", d)
			}
		})
	}
}

// stored is a callback as it is in the store.
func stored(tb testing.TB, h http.Header, body string) Call {
	tb.Helper()
	raw, err := invocation.EncodeCallback("figlet", h, []byte(body))
	if err != nil {
		tb.Fatal(err)
	}
	return Call{ID: testID, CallID: "c1", Retry: 3, RetryMax: 10, Request: mustDecode(tb, raw)}
}

func TestCallbackSendsTheseBytes(t *testing.T) {
	t.Parallel()
	h := CallbackHeader(Result{Status: 200, Header: http.Header{"Content-Type": {"text/plain"}}, Duration: time.Second},
		Meta{Function: "figlet", CallID: "c1", Retry: 1, RetryMax: 10, Version: "1.2.3"})
	tests := []struct {
		name, url string
		header    http.Header
		body      string
		want      string
	}{
		{
			"credentials, a query and a fragment", "http://user:p%40ss@TARGET/a%2Fb?k=v&x#frag", h, "hello",
			`POST /a%2Fb?k=v&x HTTP/1.1
Host: TARGET
User-Agent: queue-worker/1.2.3
Content-Length: 5
Authorization: Basic dXNlcjpwQHNz
Content-Type: text/plain
X-Call-Id: c1
X-Duration-Seconds: 1.000000
X-Function-Name: figlet
X-Function-Status: 200
X-Retry: 1
X-Retry-Max: 10

hello`,
		},
		{
			"a URL that lost its credentials, an empty body", "http://@TARGET", http.Header{"X-A": {"b"}, "Connection": {"X-C"}, "X-C": {"d"}}, "",
			`POST / HTTP/1.1
Host: TARGET
User-Agent: queue-worker/1.2.3
Content-Length: 0
X-A: b

`,
		},
		{
			"a user without a password, spaces in the path", "http://user@TARGET/a b", http.Header{"User-Agent": {"mine"}}, "",
			`POST /a%20b HTTP/1.1
Host: TARGET
User-Agent: mine
Content-Length: 0
Authorization: Basic dXNlcjo=

`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := answering(t, wire(204, ""))
			c := newClient(t, "gateway", nil)
			r := c.Callback(t.Context(), strings.ReplaceAll(tt.url, "TARGET", s.address), stored(t, tt.header, tt.body))
			switch {
			case r.Status != 204:
				t.Fatalf("result is %+v, want Status 204", r)
			case r.Cause != "":
				t.Fatalf("result is %+v, want Cause \"\"", r)
			}
			want := crlf(strings.ReplaceAll(tt.want, "TARGET", s.address))
			if d := cmp.Diff([]string{want}, s.seen()); d != "" {
				t.Errorf("bytes on the wire (-want +got):\n%s", d)
			}
		})
	}
}

func TestCallbackURLsThatAreRefused(t *testing.T) {
	t.Parallel()
	var dialled atomic.Int32
	c := newClient(t, "gateway", func(o *Options) {
		o.Guard = dialing(func(context.Context, string, string) (net.Conn, error) {
			dialled.Add(1)
			return nil, errors.New("dialled")
		})
	})
	for _, u := range []string{
		"", "CANARY", "/CANARY", "//CANARY/", "CANARY://h/", "ftp://CANARY/", "file:///CANARY", "http:", "http:CANARY", "http://", "http:///CANARY", "http://user:CANARY@/",
		"http://h/\nCANARY", "http://CANARY h/", "http://h/?CANARY x", "http://[::1CANARY/", "http://h:CANARY/", "http://h/%ZZCANARY", "http://h\x00/CANARY",
		"http://h/" + strings.Repeat("CANARY", egress.MaxURL), "javascript:CANARY", "gopher://h/CANARY",
	} {
		r := c.Callback(t.Context(), u, stored(t, nil, "x"))
		switch {
		case !r.Refused:
			t.Errorf("%.60q: %+v: r.Refused = false, want true", u, r)
		case r.Status != 0:
			t.Errorf("%.60q: %+v, want Status 0", u, r)
		case r.Cause != "":
			t.Errorf("%.60q: %+v, want Cause \"\"", u, r)
		case r.Detail == "":
			t.Errorf("%.60q: %+v, want Detail not \"\"", u, r)
		case strings.Contains(r.Detail, "CANARY"):
			t.Errorf("%.60q: %+v, want Detail no \"CANARY\" in it", u, r)
		}
	}
	if n := dialled.Load(); n != 0 {
		t.Errorf("%d of them were dialled, want 0", n)
	}
}

func TestCallbacksThatEgressRefuses(t *testing.T) {
	t.Parallel()
	dial := func(_ context.Context, _, address string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("%w: %s is loopback", egress.ErrRefused, address)}
	}
	tests := []struct {
		name  string
		guard Guard
		want  string
	}{
		{"a guarded dialer", dialing(dial), "refused by callback_policy: 127.0.0.1:80 is loopback"},
		{"no guard", nil, "refused by callback_policy: callbacks are off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, "gateway", func(o *Options) { o.Guard = tt.guard })
			r := c.Callback(t.Context(), "http://user:pw@127.0.0.1/x?y", stored(t, nil, "x"))
			switch {
			case !r.Refused:
				t.Errorf("result is %+v: r.Refused = false, want true", r)
			case r.Status != 0:
				t.Errorf("result is %+v, want Status 0", r)
			case r.Cause != "":
				t.Errorf("result is %+v, want Cause \"\"", r)
			case r.Detail != tt.want:
				t.Errorf("result is %+v, want Detail %q", r, tt.want)
			}
		})
	}
}

func TestTheGuardsRealDialerDecides(t *testing.T) {
	t.Parallel()
	s := answering(t, wire(200, ""))
	c := newClient(t, "gateway", func(o *Options) {
		g, err := egress.New(egress.Options{Level: egress.Guarded, Gateway: o.Gateway})
		if err != nil {
			t.Fatal(err)
		}
		o.Guard = g
	})
	r := c.Callback(t.Context(), "http://"+s.address+"/", stored(t, nil, "x"))
	switch {
	case !r.Refused:
		t.Errorf("result is %+v, the server saw %q: r.Refused = false, want true", r, s.seen())
	case !strings.Contains(r.Detail, "loopback"):
		t.Errorf("result is %+v, the server saw %q, want Detail \"loopback\" in it", r, s.seen())
	case len(s.seen()) != 0:
		t.Errorf("result is %+v, the server saw %q, want len 0", r, s.seen())
	}
}

func TestFunctionsAreNotDialledByEgress(t *testing.T) {
	t.Parallel()
	s := answering(t, wire(200, ""))
	c := newClient(t, s.address, func(o *Options) { o.Guard = nil })
	if r := c.Function(t.Context(), callOf(t, "x")); r.Status != 200 {
		t.Errorf("result is %+v, want Status 200", r)
	}
}

func TestACallbackThatCannotBeSentIsMalformed(t *testing.T) {
	t.Parallel()
	c := newClient(t, "gateway", nil)
	r := c.Callback(t.Context(), "http://127.0.0.1:1/", stored(t, http.Header{"X-A": {"a\r\nb"}}, "x"))
	switch {
	case !r.Malformed:
		t.Errorf("result is %+v: r.Malformed = false, want true", r)
	case r.Status != 0:
		t.Errorf("result is %+v, want Status 0", r)
	case r.Detail == "":
		t.Errorf("result is %+v, want Detail not \"\"", r)
	}
}

func TestTheShorterTimeoutHoldsForCallbacks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ timeout, callback, want time.Duration }{
		{0, 0, 10 * time.Second}, {0, time.Minute, time.Minute}, {time.Second, time.Minute, time.Second}, {time.Hour, time.Minute, time.Minute}, {time.Second, 0, time.Second},
	} {
		c := newClient(t, "gateway", func(o *Options) { o.Timeout, o.CallbackTimeout = tt.timeout, tt.callback })
		switch {
		case c.callbackTimeout != tt.want:
			t.Errorf("%s and %s make %s: c.callbackTimeout = %v, want %v", tt.timeout, tt.callback, c.callbackTimeout, c.callbackTimeout, tt.want)
		case c.timeout != tt.timeout:
			t.Errorf("%s and %s make %s: c.timeout = %v, want %v", tt.timeout, tt.callback, c.callbackTimeout, c.timeout, tt.timeout)
		}
	}
}

// A message on the queue can be a callback, with any header. What is posted is no
// other request than that of a result, and has no credentials but those of its URL.
func TestNoCallbackIsPostedAsAnotherRequest(t *testing.T) {
	t.Parallel()
	h := http.Header{"X-A": {"b"}, "X_Http_Method_Override": {"DELETE"}}
	for _, name := range neverPosted {
		h[name] = []string{"forged"}
	}
	s := answering(t, wire(200, ""))
	c := newClient(t, "gateway", nil)
	if r := c.Callback(t.Context(), "http://u:p@"+s.address+"/", stored(t, h, "")); r.Status != 200 {
		t.Fatalf("result is %+v, want Status 200", r)
	}
	want := crlf("POST / HTTP/1.1\nHost: " + s.address + "\nUser-Agent: queue-worker/1.2.3\nContent-Length: 0\nAuthorization: Basic dTpw\nX-A: b\n\n")
	if d := cmp.Diff([]string{want}, s.seen()); d != "" {
		t.Errorf("bytes on the wire (-want +got):\n%s", d)
	}
}
