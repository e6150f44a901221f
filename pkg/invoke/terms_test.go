package invoke

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/invocation"
)

// What an invocation's own terms change about the request: byte for byte.
func TestTermsOnTheWire(t *testing.T) {
	t.Parallel()
	expires := time.Date(2026, time.March, 5, 13, 0, 0, 250e6, time.FixedZone("", 3600))
	mailbox := invocation.Terms{Source: invocation.SourceMailbox, MaxRetries: 9, Delay: 4 * time.Second}
	unlimited := invocation.Terms{Source: invocation.SourceMailbox, MaxRetries: invocation.Unlimited, Expires: expires}
	forged := http.Header{
		"Content-Type": {"text/plain"}, "X-Retries": {"99"}, "X_Retries": {"99"}, "X-Max-Retries": {"99"},
		"X-Delay-Duration": {"99"}, "X-Deadline": {"never"}, "X-Callback-Url": {"http://cb/"},
	}
	for _, tt := range []struct {
		name string
		call Call
		want string
	}{
		{
			"a mailbox delivery tells its own count, limit and delay",
			Call{ID: testID, CallID: "c1", Retry: 2, RetryMax: 9, Terms: &mailbox},
			`X-Call-Id: c1
X-Callback-Url: http://cb/
X-Delay-Duration: 4
X-Max-Retries: 9
X-Retries: 2
X-Retry: 2
X-Retry-Max: 9
`,
		},
		{
			"a mailbox delivery without a limit and with a deadline",
			Call{ID: testID, CallID: "c1", Retry: 1, RetryMax: -1, Terms: &unlimited},
			`X-Call-Id: c1
X-Callback-Url: http://cb/
X-Deadline: 2026-03-05T12:00:00.25Z
X-Delay-Duration: 0
X-Retries: 1
X-Retry: 1
`,
		},
		{
			"any other invocation passes a caller's fields on, and has a deadline of its own",
			Call{ID: testID, CallID: "c1", Retry: 1, RetryMax: 3, Terms: &invocation.Terms{Source: invocation.SourceHTTP, Expires: expires}},
			`X-Call-Id: c1
X-Callback-Url: http://cb/
X-Deadline: 2026-03-05T12:00:00.25Z
X-Delay-Duration: 99
X-Max-Retries: 99
X-Retries: 99
X-Retry: 1
X-Retry-Max: 3
`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := answering(t, wire(200, ""))
			c := newClient(t, s.address, nil)
			tt.call.Request = decoded(t, types.QueueRequest{Function: "figlet", Header: forged})
			if r := c.Function(t.Context(), tt.call); r.Status != 200 {
				t.Fatalf("result is %+v, want Status 200", r)
			}
			want := crlf("POST /function/figlet/ HTTP/1.1\nHost: " + s.address + "\nUser-Agent: queue-worker/1.2.3\nContent-Length: 0\n" +
				"Content-Type: text/plain\n" + tt.want + "idempotency-key: " + testIDText + "\n\n")
			if d := cmp.Diff([]string{want}, s.seen()); d != "" {
				t.Errorf("request (-want +got):\n%s", d)
			}
		})
	}
}

func TestAProducersMessageIsPostedWithItsTypeOnly(t *testing.T) {
	t.Parallel()
	const body = `{"message":"hello"}`
	for _, tt := range []struct {
		name   string
		header http.Header
		want   string
	}{
		{"as it was stored", http.Header{"Content-Type": {"application/json; charset=utf-8"}, "Authorization": {"Bearer CANARY"}, "X-A": {"b"}}, "application/json; charset=utf-8"},
		{"JSON when nothing was stored", nil, "application/json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := answering(t, wire(200, ""))
			c := newClient(t, s.address, nil)
			call := Call{
				ID: testID, CallID: "c1", Retry: 3, RetryMax: 10, Terms: &invocation.Terms{Source: invocation.SourceProducer},
				Request: decoded(t, types.QueueRequest{Function: "producer", Header: tt.header, Body: []byte(body)}),
			}
			if r := c.Callback(t.Context(), "http://user:pw@"+s.address+"/cb?a=b", call); r.Status != 200 {
				t.Fatalf("result is %+v, want Status 200", r)
			}
			want := crlf("POST /cb?a=b HTTP/1.1\nHost: " + s.address + "\nUser-Agent: queue-worker/1.2.3\nContent-Length: 19\n" +
				"Authorization: Basic dXNlcjpwdw==\nContent-Type: " + tt.want + "\nX-Call-Id: c1\n\n" + body)
			if d := cmp.Diff(strings.Split(want, "\r\n"), strings.Split(s.seen()[0], "\r\n")); d != "" {
				t.Errorf("request (-want +got):\n%s", d)
			}
		})
	}
}

// A function gets the limit of its call where a limit was set
// of its own, in the form in which of-watchdog reads it.
func TestTheTimeOfACallIsSent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		worker, call   time.Duration
		header, limit  string
		spelledOddly   bool
		takesAsLongAs  time.Duration
		andMayTakeDays bool
	}{
		{name: "no limit asked for", worker: time.Minute, takesAsLongAs: time.Minute},
		{name: "the function asks", worker: time.Minute, call: 30 * time.Second, limit: "30s", takesAsLongAs: 30 * time.Second},
		{name: "a function has no more than the worker allows", worker: time.Minute, call: time.Hour, limit: "1m0s", takesAsLongAs: time.Minute},
		{name: "the worker has no bound", call: 90 * time.Second, limit: "1m30s", takesAsLongAs: 90 * time.Second},
		{name: "a caller who may not ask for so much", worker: time.Minute, header: "2h", limit: "1m0s", takesAsLongAs: time.Minute},
		{name: "a caller's seconds are written out", worker: time.Minute, call: 5 * time.Second, header: "5", limit: "5s", takesAsLongAs: 5 * time.Second},
		{name: "no other spelling gets past", call: 5 * time.Second, header: "1h", spelledOddly: true, limit: "5s", takesAsLongAs: 5 * time.Second},
		{name: "a time that cannot be read is not passed on", header: "soon", andMayTakeDays: true},
		{name: "another spelling alone says nothing", header: "1h", spelledOddly: true, andMayTakeDays: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := answering(t, wire(200, ""))
			c := newClient(t, s.address, func(o *Options) { o.Timeout = tt.worker })
			q := types.QueueRequest{Function: "figlet", Header: http.Header{}}
			switch {
			case tt.spelledOddly:
				q.Header["X_Timeout"] = []string{tt.header}
			case tt.header != "":
				q.Header["X-Timeout"] = []string{tt.header}
			}
			call := Call{ID: testID, Request: decoded(t, q), Timeout: tt.call}
			if got := c.timeoutOf(call); got != tt.takesAsLongAs || (got == 0) != tt.andMayTakeDays {
				t.Errorf("it may take %s, want %s", got, tt.takesAsLongAs)
			}
			if r := c.Function(t.Context(), call); r.Status != 200 {
				t.Fatalf("result is %+v, want Status 200", r)
			}
			limit := ""
			for line := range strings.Lines(s.seen()[0]) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				if strings.EqualFold(strings.ReplaceAll(name, "_", "-"), "X-Timeout") {
					limit += value
				}
			}
			if limit != tt.limit {
				t.Errorf("it got %q, want %q", limit, tt.limit)
			}
		})
	}
}
