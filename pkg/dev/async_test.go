package dev

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/openfaas/faas-provider/types"
)

// startWithServer starts a stand whose invocations go to the server at port.
func startWithServer(t *testing.T, port int) *url.URL {
	t.Helper()
	return startStand(t, func(o *Options) { o.Queue.Port = port }).GatewayURL()
}

// publish sends a message and reports whether it was accepted. It does not wait
// for an answer longer than a second: a publish that leaves in the moment in
// which the server closes is given up by the library only after 30.
func publish(t *testing.T, gw *url.URL) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, gw.String()+"/async-function/fn", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusAccepted && res.StatusCode != http.StatusInternalServerError {
		t.Errorf("answers %d, want 202 or 500", res.StatusCode)
	}
	return res.StatusCode == http.StatusAccepted
}

// accepted repeats a publish until it is accepted. A server that comes back is
// found again by the clocks of the NATS libraries: two to seven seconds.
func accepted(t *testing.T, gw *url.URL) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !publish(t, gw) {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("no publish was accepted again")
		}
	}
}

func TestAsyncPublishesWhatTheRealGatewayDoes(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	server := startServer(t, port, "")
	gw := startWithServer(t, port)
	messages := receive(t, server)
	tests := []struct {
		name, target, body string
		header             []string
		function, path     string
		query, callback    string
	}{
		{"a call with everything", "/async-function/chaos-fn/a/b?x=1", "hello", []string{"X-Callback-Url: http://u:p@127.0.0.1:9/cb?k=v", "X-Call-Id: mine"}, "chaos-fn", "/a/b", "x=1", "http://@127.0.0.1:9/cb?k=v"},
		{"the root and no body", "/async-function/chaos-fn", "", nil, "chaos-fn", "", "", ""},
		{"a trailing slash", "/async-function/chaos-fn/", "x", nil, "chaos-fn", "/", "", ""},
		{"a namespace is kept", "/async-function/chaos-fn.openfaas-fn", "x", nil, "chaos-fn.openfaas-fn", "", "", ""},
		{"an escaped path is decoded", "/async-function/fn/a%20b", "x", nil, "fn", "/a b", "", ""},
		{"an unknown function is accepted", "/async-function/nope", "x", nil, "nope", "", "", ""},
		{"a body at the limit", "/async-function/fn", strings.Repeat("x", 256000), nil, "fn", "", "", ""},
	}
	for _, tt := range tests { // one after the other: the messages come in this order
		t.Run(tt.name, func(t *testing.T) {
			got := must(t, http.MethodPost, gw, tt.target, tt.body, tt.header...)
			if got.status != http.StatusAccepted || got.body != "" {
				t.Fatalf("answers %d %q, want 202 and nothing", got.status, got.body)
			}
			raw := <-messages
			var q types.QueueRequest
			if err := json.Unmarshal(raw, &q); err != nil {
				t.Fatal(err)
			}
			callback := ""
			if q.CallbackURL != nil {
				callback = q.CallbackURL.String()
			}
			want := []string{"POST", gw.Host, tt.function, tt.path, tt.query, tt.body, callback, ""}
			if d := cmp.Diff(want, []string{q.Method, q.Host, q.Function, q.Path, q.QueryString, string(q.Body), callback, q.QueueName}); d != "" {
				t.Errorf("published (-want +got):\n%s", d)
			}
			id := q.Header.Get("X-Call-Id")
			if len(tt.header) > 0 && (id != "mine" || got.header.Get("X-Call-Id") != "" || q.Header.Get("X-Callback-Url") == "") {
				t.Errorf("the caller's headers came as %v, and %q was answered", q.Header, got.header.Get("X-Call-Id"))
			}
			if _, err := uuid.Parse(id); len(tt.header) == 0 && (err != nil || got.header.Get("X-Call-Id") != id) {
				t.Errorf("call id %q was published and %q answered (%v)", id, got.header.Get("X-Call-Id"), err)
			}
			switch {
			case len(q.Header.Get("X-Start-Time")) != 19:
				t.Errorf("start time %q was published and %q answered, want 19 X-Start-Time", q.Header.Get("X-Start-Time"), got.header.Get("X-Start-Time"))
			case q.Header.Get("X-Start-Time") != got.header.Get("X-Start-Time"):
				t.Errorf("start time %q was published and %q answered, want X-Start-Time %v", q.Header.Get("X-Start-Time"), got.header.Get("X-Start-Time"), got.header.Get("X-Start-Time"))
			}
		})
	}
}

func TestAsyncRefuses(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	startServer(t, port, "")
	gw := startWithServer(t, port)
	tests := []struct {
		name, method, target, body string
		header                     []string
		status                     int
		want                       string
	}{
		{"another method", "GET", "/async-function/fn", "", nil, 405, ""},
		{"a callback that is no URL", "POST", "/async-function/fn", "", []string{"X-Callback-Url: http://a b/"}, 400, "X-Callback-Url"},
		{"a body that the library does not take", "POST", "/async-function/fn", strings.Repeat("x", 256001), nil, 500,
			"Error queuing request: request body too large for OpenFaaS CE (256001 bytes), maximum: 256000 bytes"},
		{"a body that is not even read", "POST", "/async-function/fn", strings.Repeat("x", maxAsyncBody+1), nil, 413, "too large"},
		{"no name", "POST", "/async-function/", "", nil, 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := must(t, tt.method, gw, tt.target, tt.body, tt.header...)
			if got.status != tt.status || !strings.Contains(got.body, tt.want) {
				t.Errorf("answers %d %q, want %d and %q", got.status, got.body, tt.status, tt.want)
			}
		})
	}
}

func TestAsyncFindsAServerThatStartsLater(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	gw := startWithServer(t, port)
	for range 2 {
		got := must(t, http.MethodPost, gw, "/async-function/fn", "x")
		switch {
		case got.status != 500:
			t.Fatalf("without a server it answers %d %q: got.status = %d, want 500", got.status, got.body, got.status)
		case !strings.HasPrefix(got.body, "Error queuing request: "):
			t.Fatalf("without a server it answers %d %q: got.body = %q, want it to begin with %q", got.status, got.body, got.body, "Error queuing request: ")
		}
	}
	startServer(t, port, "")
	if got := must(t, http.MethodPost, gw, "/async-function/fn", "x"); got.status != 202 {
		t.Errorf("with a server it answers %d %q, want 202", got.status, got.body)
	}
}

func TestAsyncContinuesWhenTheServerIsBack(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		memory bool
		pause  bool
	}{
		{"after a pause", false, true},
		{"restarted on its files", false, false},
		{"restarted with an empty memory", true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := ""
			if !tt.memory {
				dir = t.TempDir()
			}
			port := freePort(t)
			server := startServer(t, port, dir)
			gw := startWithServer(t, port)
			accepted(t, gw)
			if tt.pause {
				server.Pause()
			} else {
				server.Close()
			}
			if publish(t, gw) {
				t.Error("with the server closed a publish is accepted: publish(t, gw) = true, want false")
			}
			if !tt.pause {
				startServer(t, port, dir)
			} else if err := server.Resume(); err != nil {
				t.Fatal(err)
			}
			accepted(t, gw)
		})
	}
}

func TestAsyncTakesManyAtOnce(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	server := startServer(t, port, "")
	gw := startWithServer(t, port)
	messages := receive(t, server)
	const callers, each = 10, 5
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for n := range each {
				switch got, err := do(t, http.MethodPost, gw, "/async-function/fn", fmt.Sprintf("%d/%d", c, n)); {
				case err != nil:
					t.Errorf("answers %d (%v): err = %v, want nil", got.status, err, err)
				case got.status != 202:
					t.Errorf("answers %d (%v): got.status = %d, want 202", got.status, err, got.status)
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for range callers * each {
		var q types.QueueRequest
		if err := json.Unmarshal(<-messages, &q); err != nil {
			t.Fatal(err)
		}
		seen[string(q.Body)] = true
	}
	if len(seen) != callers*each {
		t.Errorf("%d different messages arrived, want %d", len(seen), callers*each)
	}
}
