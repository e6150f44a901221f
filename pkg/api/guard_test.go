package api

// Who may, without basic_auth.

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// guardedPaths is every operation on what is stored.
var guardedPaths = []string{
	"GET /v1/dead_set",
	"GET /v1/dead_set/" + idOf(0).String(),
	"DELETE /v1/dead_set/" + idOf(0).String(),
	"POST /v1/dead_set/" + idOf(0).String() + "/replay",
}

func TestWithoutBasicAuthOnlyThisMachineMay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, peer, host string
		header           string
		want             bool
	}{
		{"curl to localhost", "127.0.0.1:5000", "localhost:8081", "", true},
		{"curl to 127.0.0.1", "127.0.0.1:5000", "127.0.0.1:8081", "", true},
		{"the whole of 127/8 is this machine", "127.8.9.10:5000", "127.8.9.10", "", true},
		{"IPv6", "[::1]:5000", "[::1]:8081", "", true},
		{"IPv6 without a port", "[::1]:5000", "[::1]", "", true},
		{"IPv4 as IPv6", "[::ffff:127.0.0.1]:5000", "LocalHost", "", true},
		{"another machine", "10.0.0.7:5000", "localhost:8081", "", false},
		{"another machine over IPv6", "[fe80::1%eth0]:5000", "localhost:8081", "", false},
		{"a peer that is no address", "pipe", "localhost:8081", "", false},
		{"a name that leads here", "127.0.0.1:5000", "evil.example:8081", "", false},
		{"a name that only looks local", "127.0.0.1:5000", "localhost.evil.example", "", false},
		{"a service of the cluster", "127.0.0.6:5000", "queue-worker.openfaas:8081", "", false},
		{"our address on the network", "127.0.0.1:5000", "10.0.0.7:8081", "", false},
		{"no name at all", "127.0.0.1:5000", "", "", false},
		{"a number that resolvers take for an address", "127.0.0.1:5000", "127.1:8081", "", false},
		{"a proxy says Forwarded", "127.0.0.1:5000", "localhost", "Forwarded", false},
		{"a proxy says Via", "127.0.0.1:5000", "localhost", "Via", false},
		{"a proxy says X-Forwarded-For", "127.0.0.1:5000", "localhost", "X-Forwarded-For", false},
		{"a proxy says X-Forwarded-Proto", "127.0.0.1:5000", "localhost", "X-Forwarded-Proto", false},
		{"a proxy says X-Real-IP", "127.0.0.1:5000", "localhost", "X-Real-Ip", false},
	}
	for _, open := range []bool{false, true} {
		h := newRig(t, func(o *Options) { o.AdminOpen = open }).routes()
		for _, tt := range tests {
			for _, path := range guardedPaths {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, arriving(path, func(r *http.Request) {
					r.RemoteAddr, r.Host = tt.peer, tt.host
					if tt.header != "" {
						r.Header.Set(tt.header, "")
					}
				}))
				if got := w.Code != http.StatusForbidden; got != (tt.want || open) {
					t.Errorf("%s, admin_open=%v: %s answers %d %s", tt.name, open, path, w.Code, w.Body)
				}
			}
		}
	}
}

// arriving makes a request from "METHOD /path" as a server sees it.
func arriving(line string, edits ...func(*http.Request)) *http.Request {
	method, path, _ := strings.Cut(line, " ")
	r := httptest.NewRequest(method, path, nil)
	for _, edit := range edits {
		edit(r)
	}
	return r
}

func TestTheRefusalNamesBothSettings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := r.ask(t, http.MethodGet, "/v1/dead_set", func(r *http.Request) { r.Host = "worker.example" })
	if got.reasonOf(t) != forbidden || got.status != http.StatusForbidden {
		t.Errorf("answer is %d %s", got.status, got.body)
	}
	golden(t, "forbidden.json", got.body)
}

func TestPagesOfOtherSitesMayNotAct(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		header [2]string
		want   int
	}{
		{"no browser", [2]string{"X-Any", ""}, http.StatusOK},
		{"a page of ours", [2]string{"Sec-Fetch-Site", "same-origin"}, http.StatusOK},
		{"a page of another site", [2]string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{"a page of a sister site", [2]string{"Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		{"an old browser", [2]string{"Origin", "http://evil.example"}, http.StatusForbidden},
		{"a page without an origin", [2]string{"Origin", "null"}, http.StatusForbidden},
	}
	for i, tt := range tests {
		for _, open := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, func(o *Options) { o.AdminOpen = open })
				r.put(t, deadAt(i), nil)
				foreign := func(r *http.Request) { r.Header.Set(tt.header[0], tt.header[1]) }
				if got := r.ask(t, http.MethodPost, "/v1/dead_set/"+idOf(i).String()+"/replay", foreign); got.status != tt.want {
					t.Errorf("replay answers %d %s", got.status, got.body)
				}
				r.put(t, deadAt(100+i), nil)
				if got := r.ask(t, http.MethodDelete, "/v1/dead_set/"+idOf(100+i).String(), foreign); got.status != tt.want {
					t.Errorf("drop answers %d %s", got.status, got.body)
				}
				if _, err := r.store.Get(idOf(100 + i)); (err == nil) != (tt.want == http.StatusForbidden) {
					t.Errorf("after %d the letter is there: %v", tt.want, err == nil)
				}
			})
		}
	}
}
