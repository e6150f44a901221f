package ingest_test

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/ingest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/wire"
)

func TestASubmissionIsWhatTheGatewayWouldPublish(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{true, false} {
		r := newRig(t, storing(durable))
		before := time.Now()
		got := r.Post(t, "/async-function/figlet.openfaas-fn/v1/a%2Fb%20c?x=1&y=%zz", "hello\x00\xff",
			"Content-Type", "text/plain", "X-Call-Id", "mine", "X-Callback-Url", "http://user:pw@cb/x", "X-A", "1", "X-A", "2",
			"X-Start-Time", "1", "Authorization", "Bearer function")
		switch {
		case got.Status != http.StatusAccepted:
			t.Fatalf("answer is %d %q, want status %d", got.Status, got.Body, http.StatusAccepted)
		case got.Body != "":
			t.Fatalf("answer is %d %q, want body empty", got.Status, got.Body)
		}
		s := acceptedBy(t, r, durable)
		q, body := apitest.Decoded(t, s.Raw)
		switch {
		case q.Function != "figlet.openfaas-fn":
			t.Errorf(`it is %+v with %q, want function "figlet.openfaas-fn"`, q, body)
		case q.Path != "/v1/a%2Fb%20c":
			t.Errorf(`it is %+v with %q, want path "/v1/a%%2Fb%%20c"`, q, body)
		case q.QueryString != "x=1&y=%zz":
			t.Errorf(`it is %+v with %q, want QueryString "x=1&y=%%zz"`, q, body)
		case body != "hello\x00\xff":
			t.Errorf(`it is %+v with %q, want "hello\x00\xff"`, q, body)
		}
		if q.CallbackURL != "http://user:pw@cb/x" {
			t.Errorf(`its callback is %q, want "http://user:pw@cb/x"`, q.CallbackURL)
		}
		started := got.Header.Get("X-Start-Time")
		want := http.Header{
			"Content-Type": {"text/plain"}, "Content-Length": {"7"}, "User-Agent": {"Go-http-client/1.1"}, "Accept-Encoding": {"gzip"},
			"X-Call-Id": {"mine"}, "X-Callback-Url": {"http://user:pw@cb/x"}, "X-A": {"1", "2"}, "X-Start-Time": {"1", started}, "Authorization": {"Bearer function"},
		}
		if d := cmp.Diff(want, q.Header); d != "" {
			t.Errorf("header (-want +got):\n%s", d)
		}
		switch ns, err := strconv.ParseInt(started, 10, 64); {
		case err != nil:
			t.Errorf("X-Start-Time is %q: got %v, want no error", started, err)
		case ns < before.UnixNano():
			t.Errorf("X-Start-Time is %q: got ns %v, want at least %v", started, ns, before.UnixNano())
		case ns > time.Now().UnixNano():
			t.Errorf("X-Start-Time is %q: got ns %v, want at most %v", started, ns, time.Now().UnixNano())
		}
		switch {
		case got.Header.Get("X-Call-Id") != "mine":
			t.Errorf(`the answer's header is %v, want X-Call-Id "mine"`, got.Header)
		case got.Header.Get("X-Invocation-Id") != s.Inv.ID.String():
			t.Errorf("the answer's header is %v, want X-Invocation-Id %v", got.Header, s.Inv.ID.String())
		}
		inv := &invocation.Invocation{
			ID: s.Inv.ID, CallID: "mine", Function: "figlet.openfaas-fn", Lane: invocation.Lane{Queue: "faas-request", Name: "figlet"},
			Accepted: s.Inv.Accepted, Since: s.Inv.Accepted, Terms: &invocation.Terms{Source: invocation.SourceHTTP},
		}
		if d := cmp.Diff(inv, s.Inv); durable && d != "" {
			t.Errorf("invocation (-want +got):\n%s", d)
		}
		if (q.Envelope == nil) != durable {
			t.Errorf("durable %v: the envelope is %+v, want q.Envelope == nil %v", durable, q.Envelope, durable)
		}
		if q.Envelope != nil {
			if d := cmp.Diff(invocation.EnvelopeOf(inv), *q.Envelope, cmp.Transformer("utc", time.Time.UTC)); d != "" {
				t.Errorf("envelope (-want +got):\n%s", d)
			}
		}
	}
}

func TestACallIDIsMadeWhereThereIsNone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, header := range [][]string{nil, {"X-Call-Id", ""}} {
		got := r.Post(t, "/async-function/figlet", "", header...)
		s := r.Accepts.Only(t)
		q, _ := apitest.Decoded(t, s.Raw)
		switch id := got.Header.Get("X-Call-Id"); {
		case id == "":
			t.Errorf("answer %q, invocation %q, header %q, want id not empty", id, s.Inv.CallID, q.CallID())
		case id != s.Inv.CallID:
			t.Errorf("answer %q, invocation %q, header %q, want id %v", id, s.Inv.CallID, q.CallID(), s.Inv.CallID)
		case id != q.CallID():
			t.Errorf("answer %q, invocation %q, header %q, want id %v", id, s.Inv.CallID, q.CallID(), q.CallID())
		}
	}
}

func TestThePathOfTheFunctionIsKeptAsItWasWritten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for path, want := range map[string]string{
		"/async-function/f":              "",
		"/async-function/f/":             "/",
		"/async-function/f/a":            "/a",
		"/async-function/f/a/":           "/a/",
		"/async-function/f/a%2fb/%C3%9F": "/a%2fb/%C3%9F",
		"/async-function/%66/a%3Fb":      "/a%3Fb",
		"/async%2Dfunction/f/a":          "/a",
	} {
		if got := r.Post(t, path, "x"); got.Status != http.StatusAccepted {
			t.Errorf("%s answers %d %s, want %d", path, got.Status, got.Body, http.StatusAccepted)
			continue
		}
		if q, _ := apitest.Decoded(t, r.Accepts.Only(t).Raw); q.Path != want || q.Function != "f" {
			t.Errorf("%s calls %q at %q, want %q", path, q.Function, q.Path, want)
		}
	}
}

func TestAPathThatTheGatewayCannotCarryIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, rest := range []string{
		"//", "/a//b", "/https%3A%2F%2Fexample.com%2Fx", "/a%2F%2Fb", "/.", "/..", "/a/../b", "/%2e%2e/b", "/a%2F..%2Fb", "/%252e%252e/b", "/a/.",
	} {
		got := r.Post(t, "/async-function/f"+rest, "x")
		if got.Status != http.StatusBadRequest || got.ReasonOf(t) != wire.BadRequest {
			t.Errorf("%s: got %d %s, want 400 %s", rest, got.Status, got.Body, wire.BadRequest)
		}
		if !strings.Contains(got.Body, "segment") || !strings.Contains(got.Body, "gateway cannot carry") {
			t.Errorf("%s: got %s, want an error that names the segment and the gateway", rest, got.Body)
		}
	}
	if got := r.Accepts.Count(); got != 0 {
		t.Errorf("got %d submissions, want 0", got)
	}
}

func TestWhenAnInvocationIsDueAndOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	tests := []struct {
		name   string
		header []string
		delay  time.Duration // of the due time after Accepted, -1 for soon
		maxAge time.Duration
	}{
		{"nothing", nil, 0, 0},
		{"seconds", []string{"X-Delay-Duration", "90"}, 90 * time.Second, 0},
		{"a duration", []string{"X-Delay-Duration", "1h30m"}, 90 * time.Minute, 0},
		{"none", []string{"X-Delay-Duration", "0"}, 0, 0},
		{"the longest", []string{"X-Delay-Duration", "31622400"}, 366 * 24 * time.Hour, 0},
		{"a moment", []string{"X-Not-Before", soon.Format(time.RFC3339)}, -1, 0},
		{"a moment of another zone", []string{"X-Not-Before", soon.In(time.FixedZone("", 7200)).Format(time.RFC3339Nano)}, -1, 0},
		{"a moment that is past", []string{"X-Not-Before", "2020-01-01T00:00:00Z"}, 0, 0},
		{"an age", []string{"X-Max-Age", "10m"}, 0, 10 * time.Minute},
		{"a delay up to the age", []string{"X-Delay-Duration", "600", "X-Max-Age", "10m"}, 10 * time.Minute, 10 * time.Minute},
	}
	for _, tt := range tests {
		if got := r.Post(t, "/async-function/f", "", tt.header...); got.Status != http.StatusAccepted {
			t.Errorf("%s: %d %s, want %d", tt.name, got.Status, got.Body, http.StatusAccepted)
			continue
		}
		s := r.Accepts.Only(t)
		due, expires := s.Inv.Accepted.Add(tt.delay), time.Time{}
		if tt.delay < 0 {
			due = soon
		}
		if tt.maxAge > 0 {
			expires = s.Inv.Accepted.Add(tt.maxAge)
		}
		switch {
		case !s.Inv.Since.Equal(due):
			t.Errorf("%s: accepted %s, due %s, expires %s, want since %v", tt.name, s.Inv.Accepted, s.Inv.Since, s.Inv.Expires(), due)
		case !s.Inv.Expires().Equal(expires):
			t.Errorf("%s: accepted %s, due %s, expires %s, want expires %v", tt.name, s.Inv.Accepted, s.Inv.Since, s.Inv.Expires(), expires)
		}
		q, _ := apitest.Decoded(t, s.Raw)
		for _, name := range []string{"X-Delay-Duration", "X-Not-Before", "X-Max-Age"} {
			if _, there := q.Header[name]; there {
				t.Errorf("%s: the function would see %s, want not there", tt.name, name)
			}
		}
	}
}

func TestBadSubmissionsAreRefusedAndNamed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	far := time.Now().Add(400 * 24 * time.Hour).Format(time.RFC3339)
	soon := time.Now().Add(time.Hour).Format(time.RFC3339)
	tests := []struct {
		name, path string
		header     []string
		status     int
		says       string
	}{
		{"no name", "/async-function/", nil, 404, "path"},
		{"not even a slash", "/async-function", nil, 404, "path"},
		{"a query in the name", "/async-function/x%3Fq=1", nil, 400, "name"},
		{"a space in the name", "/async-function/a%20b", nil, 400, "name"},
		{"a slash in the name", "/async-function/a%2Fb", nil, 400, "name"},
		{"a name of dots", "/async-function/%2e%2e", nil, 400, "name"},
		{"a name that begins with a dot", "/async-function/.a", nil, 400, "name"},
		{"a name beyond any length", "/async-function/" + strings.Repeat("a", 257), nil, 400, "name"},
		{"a path out of the function", "/async-function/f/../x", nil, 400, "path"},
		{"an empty segment", "/async-function/f//x", nil, 400, "path"},
		{"a delay of words", "/async-function/f", []string{"X-Delay-Duration", "soon"}, 400, "X-Delay-Duration"},
		{"a delay that is empty", "/async-function/f", []string{"X-Delay-Duration", ""}, 400, "X-Delay-Duration"},
		{"a negative delay", "/async-function/f", []string{"X-Delay-Duration", "-5"}, 400, "X-Delay-Duration"},
		{"a negative duration", "/async-function/f", []string{"X-Delay-Duration", "-5s"}, 400, "X-Delay-Duration"},
		{"a fraction without unit", "/async-function/f", []string{"X-Delay-Duration", "1.5"}, 400, "X-Delay-Duration"},
		{"a delay of more than a year", "/async-function/f", []string{"X-Delay-Duration", "31622401"}, 400, "X-Delay-Duration"},
		{"a duration of more than a year", "/async-function/f", []string{"X-Delay-Duration", "8785h"}, 400, "X-Delay-Duration"},
		{"a delay beyond 64 bits", "/async-function/f", []string{"X-Delay-Duration", "99999999999999999999"}, 400, "X-Delay-Duration"},
		{"a delay whose nanoseconds overflow", "/async-function/f", []string{"X-Delay-Duration", "9223372036854775807"}, 400, "X-Delay-Duration"},
		{"two delays", "/async-function/f", []string{"X-Delay-Duration", "1", "X-Delay-Duration", "2"}, 400, "X-Delay-Duration"},
		{"a moment of words", "/async-function/f", []string{"X-Not-Before", "tomorrow"}, 400, "X-Not-Before"},
		{"a moment that is a number", "/async-function/f", []string{"X-Not-Before", "1700000000"}, 400, "X-Not-Before"},
		{"a moment that is too far", "/async-function/f", []string{"X-Not-Before", far}, 400, "X-Not-Before"},
		{"a moment after the end of keys", "/async-function/f", []string{"X-Not-Before", "9999-12-31T23:59:59Z"}, 400, "X-Not-Before"},
		{"delay and moment", "/async-function/f", []string{"X-Delay-Duration", "1", "X-Not-Before", soon}, 400, "X-Not-Before"},
		{"no delay and moment", "/async-function/f", []string{"X-Delay-Duration", "0", "X-Not-Before", soon}, 400, "X-Not-Before"},
		{"an age of words", "/async-function/f", []string{"X-Max-Age", "old"}, 400, "X-Max-Age"},
		{"no age", "/async-function/f", []string{"X-Max-Age", "0"}, 400, "X-Max-Age"},
		{"over before it begins", "/async-function/f", []string{"X-Max-Age", "10", "X-Delay-Duration", "11"}, 400, "X-Max-Age"},
		{"over before its moment", "/async-function/f", []string{"X-Max-Age", "10", "X-Not-Before", soon}, 400, "X-Max-Age"},
		{"an empty key", "/async-function/f", []string{"Idempotency-Key", ""}, 400, "Idempotency-Key"},
		{"a key that is too long", "/async-function/f", []string{"Idempotency-Key", strings.Repeat("k", 256)}, 400, "Idempotency-Key"},
		{"two keys", "/async-function/f", []string{"Idempotency-Key", "a", "Idempotency-Key", "b"}, 400, "Idempotency-Key"},
		{"a callback that is no URL", "/async-function/f", []string{"X-Callback-Url", "http://[::1"}, 400, "X-Callback-Url"},
		{"a call id that is too long", "/async-function/f", []string{"X-Call-Id", strings.Repeat("c", 257)}, 400, "X-Call-Id"},
	}
	for _, tt := range tests {
		got := r.Post(t, tt.path, "CANARY", tt.header...)
		if got.Status != tt.status || !strings.Contains(got.Body, tt.says) {
			t.Errorf("%s: got %d %s, want %d with %q", tt.name, got.Status, got.Body, tt.status, tt.says)
		}
		got.ReasonOf(t)
	}
	many := make([]string, 0, 2*ingest.MaxFields)
	for n := range ingest.MaxFields {
		many = append(many, fmt.Sprintf("X-%d", n), "v")
	}
	switch got := r.Post(t, "/async-function/f", "", many...); {
	case got.Status != 400:
		t.Errorf("too many fields: %d %s, want status 400", got.Status, got.Body)
	case !strings.Contains(got.Body, "fields"):
		t.Errorf(`too many fields: %d %s, want "fields" in it`, got.Status, got.Body)
	}
	if n := r.Accepts.Count(); n != 0 {
		t.Errorf("%d were taken all the same, want 0", n)
	}
}

func TestAFunctionIsRefusedOnlyWhenTheGatewayIsSure(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		gateway ingest.Functions
		path    string
		status  int
	}{
		{apitest.Gateway{IsKnown: false, IsSure: true}, "/async-function/f", 404},
		{apitest.Gateway{IsKnown: true, IsSure: true}, "/async-function/f", 202},
		{apitest.Gateway{IsKnown: false, IsSure: false}, "/async-function/f", 202},
		{nil, "/async-function/f", 202},
		{apitest.Gateway{IsKnown: false, IsSure: true}, "/deadletter/f", 202}, // the mailbox never asks
	} {
		r := newRig(t, func(o *apitest.Options) { o.Ingest.Functions = tt.gateway })
		got := r.Post(t, tt.path, "x")
		switch {
		case got.Status != tt.status:
			t.Errorf("%+v: %s answers %d %s, want status %v", tt.gateway, tt.path, got.Status, got.Body, tt.status)
		case (r.Accepts.Count() == 1) != (tt.status == 202):
			t.Errorf("%+v: %s answers %d %s, want r.Accepts.Count() == 1 %v", tt.gateway, tt.path, got.Status, got.Body, tt.status == 202)
		}
		if tt.status == 404 && got.ReasonOf(t) != wire.UnknownFunction {
			t.Errorf("%s, want reason %v", got.Body, wire.UnknownFunction)
		}
	}
}

func TestACutBodyIsNotTaken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, path := range []string{"/async-function/f", "/deadletter/f", "/queue/producer"} {
		for name, request := range map[string]string{
			"a length that is not kept": "POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{\"mes",
			"chunks without an end":     "POST " + path + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"mes\r\n",
		} {
			c, err := net.Dial("tcp", strings.TrimPrefix(r.Base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write([]byte(request)); err != nil {
				t.Fatal(err)
			}
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 1024)
			n, _ := c.Read(b)
			_ = c.Close()
			if !strings.HasPrefix(string(b[:n]), "HTTP/1.1 400 ") {
				t.Errorf(`%s, %s: %s, want "HTTP/1.1 400 " at its beginning`, path, name, b[:n])
			}
		}
	}
	if n := r.Accepts.Count(); n != 0 {
		t.Errorf("%d were taken, want 0", n)
	}
}
