package api_test

// Who may, without basic_auth.

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/api"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/console"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// openPaths is every operation that is open to everybody. Whatever else there is,
// is guarded: what is added stands here, or in every table of this file.
var openPaths = []string{
	"GET /_metrics",
	"GET /healthz",
	"GET /metrics",
	"GET /openapi.yaml",
	"GET /ping",
	"GET /readyz",
	"POST /async-function/" + apitest.IDOf(0).String(),
	"POST /async-function/" + apitest.IDOf(0).String() + "/" + apitest.IDOf(0).String(),
	"POST /deadletter/" + apitest.IDOf(0).String(),
	"POST /queue/producer",
	"POST /queue/producer/",
}

// guardedPaths is every operation on what is stored, as a request line, but for those of pages,
// which TestFormsAreGuardedToo has.
func guardedPaths(r *rig) []string {
	var lines []string
	for _, o := range r.operations() {
		if o.Guarded && !o.Acting {
			lines = append(lines, requestLine(o))
		}
	}
	return lines
}

// wildcard is a part of a path that is anything.
var wildcard = regexp.MustCompile(`\{[^}]*\}`)

func requestLine(o api.Operation) string {
	return o.Method + " " + wildcard.ReplaceAllString(strings.TrimSuffix(o.Path, "{$}"), apitest.IDOf(0).String())
}

func TestOnlyWhatTakesWorkInAndSaysHowItIsIsOpen(t *testing.T) {
	t.Parallel()
	var open []string
	r := newRig(t)
	for _, o := range r.operations() {
		if !o.Guarded {
			open = append(open, requestLine(o))
		}
	}
	slices.Sort(open)
	want := slices.Clone(openPaths)
	for _, asset := range console.Assets() { // the same in every installation
		want = append(want, "GET "+asset.Path)
	}
	slices.Sort(want)
	if d := cmp.Diff(want, open); d != "" {
		t.Errorf("open to everybody (-want +got):\n%s", d)
	}
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
	for _, name := range []string{
		"X-Original-Forwarded-For", "True-Client-Ip", "X-Envoy-External-Address", "X-Envoy-Internal", "X-Client-Ip", "Cf-Connecting-Ip", "Cf-Ray",
		"X-Forwarded", "X-Original-Url", "X-Amzn-Trace-Id", "X-Cluster-Client-Ip",
	} {
		tests = append(tests, struct {
			name, peer, host string
			header           string
			want             bool
		}{"a proxy says " + name, "127.0.0.1:5000", "localhost", name, false})
	}
	for _, open := range []bool{false, true} {
		r := newRig(t, func(o *apitest.Options) { o.API.AdminOpen = open })
		h := r.Handler
		for _, tt := range tests {
			for _, path := range guardedPaths(r) {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, apitest.Arriving(path, func(r *http.Request) {
					r.RemoteAddr, r.Host = tt.peer, tt.host
					if tt.header != "" {
						r.Header.Set(tt.header, "")
					}
				}))
				if got := w.Code != http.StatusForbidden; got != (tt.want || open) {
					t.Errorf("%s, admin_open=%v: %s answers %d %s, want %v", tt.name, open, path, w.Code, w.Body, tt.want || open)
				}
			}
		}
	}
}

// A proxy such as nginx speaks HTTP/1.0 to what is behind it, and may add no field.
func TestARequestOverHTTP10IsNotOfThisMachine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, path := range guardedPaths(r) {
		w := httptest.NewRecorder()
		r.Handler.ServeHTTP(w, apitest.Arriving(path, func(r *http.Request) {
			r.RemoteAddr, r.Host = "127.0.0.1:5000", "localhost:8081"
			r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.0", 1, 0
		}))
		if w.Code != http.StatusForbidden {
			t.Errorf("%s answers %d %s, want %d", path, w.Code, w.Body, http.StatusForbidden)
		}
	}
}

// net/http reads the body by Transfer-Encoding and hides the Content-Length; a proxy
// that reads it by the Content-Length sends the rest as the next caller's request. That one asks for
// the end of the connection, so that the test ends also when it is answered.
func TestAConnectionEndsAfterARequestWithTransferEncoding(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for path, want := range map[string]string{"/async-function/figlet": "202", "/nope": "404"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(r.Base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+
			"POST /async-function/smuggled HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		all, err := io.ReadAll(c)
		if err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
		switch got := string(all); {
		case !strings.HasPrefix(got, "HTTP/1.1 "+want):
			t.Errorf("%s: answers are %s, want %q at its beginning", path, got, "HTTP/1.1 "+want)
		case !strings.Contains(got, "Connection: close\r\n"):
			t.Errorf(`%s: answers are %s, want "Connection: close\r\n" in it`, path, got)
		case strings.Count(got, "HTTP/1.1 ") != 1:
			t.Errorf(`%s: answers are %s, want 1 of "HTTP/1.1 "`, path, got)
		}
		_ = c.Close()
	}
	if s := r.Accepts.Only(t); s.Inv.Lane.Name == "smuggled" {
		t.Errorf(`the second request was taken: got name %v, want other than "smuggled"`, s.Inv.Lane.Name)
	}
}

func TestTheRefusalNamesBothSettings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := r.Ask(t, http.MethodGet, "/v1/dead_set", func(r *http.Request) { r.Host = "worker.example" })
	switch {
	case got.ReasonOf(t) != wire.Forbidden:
		t.Errorf("answer is %d %s, want reason %v", got.Status, got.Body, wire.Forbidden)
	case got.Status != http.StatusForbidden:
		t.Errorf("answer is %d %s, want status %d", got.Status, got.Body, http.StatusForbidden)
	}
	apitest.Golden(t, "forbidden.json", got.Body)
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
				r := newRig(t, func(o *apitest.Options) { o.API.AdminOpen = open })
				r.Put(t, apitest.DeadAt(i), nil)
				foreign := func(r *http.Request) { r.Header.Set(tt.header[0], tt.header[1]) }
				if got := r.Ask(t, http.MethodPost, "/v1/dead_set/"+apitest.IDOf(i).String()+"/replay", foreign); got.Status != tt.want {
					t.Errorf("replay answers %d %s, want %v", got.Status, got.Body, tt.want)
				}
				r.Put(t, apitest.DeadAt(100+i), nil)
				if got := r.Ask(t, http.MethodDelete, "/v1/dead_set/"+apitest.IDOf(100+i).String(), foreign); got.Status != tt.want {
					t.Errorf("drop answers %d %s, want %v", got.Status, got.Body, tt.want)
				}
				if _, err := r.Store.Get(t.Context(), apitest.IDOf(100+i)); (err == nil) != (tt.want == http.StatusForbidden) {
					t.Errorf("after %d the letter is there: %v, want err == nil %v", tt.want, err == nil, tt.want == http.StatusForbidden)
				}
			})
		}
	}
}

func TestPagesOfOtherSitesMayNotActOnAnyPath(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*apitest.Options){
		"basic_auth": apitest.WithBasicAuth(t), "admin_open": func(o *apitest.Options) { o.API.AdminOpen = true }, "neither": func(*apitest.Options) {},
	} {
		r := newRig(t, edit)
		h := r.Handler
		lines := []string{"POST /", "POST /nope", "PUT /v1/dead_set"}
		for _, o := range r.operations() {
			if o.Method != http.MethodGet {
				lines = append(lines, requestLine(o))
			}
		}
		for _, line := range lines {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, apitest.Arriving(line, apitest.As(apitest.TestUser, apitest.TestPassword), func(r *http.Request) {
				r.RemoteAddr, r.Host = "127.0.0.1:5000", "localhost:8081"
				r.Header.Set("Sec-Fetch-Site", "cross-site")
			}))
			switch {
			case w.Code != http.StatusForbidden:
				t.Errorf("%s: %s answers %d %s, want code %d", name, line, w.Code, w.Body, http.StatusForbidden)
			case !strings.Contains(w.Body.String(), "cross-origin"):
				t.Errorf(`%s: %s answers %d %s, want "cross-origin" in Body`, name, line, w.Code, w.Body)
			}
		}
	}
}

// A page can give its own name the address 127.0.0.1 and then is, to the browser, of
// the same origin as the worker on the developer's machine.
func TestAPageWhoseNameLeadsToLoopbackMayNotAct(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *apitest.Options) { o.API.AdminOpen = true })
	h := r.Handler
	const page = "evil.example:8081"
	type sender struct {
		name, peer, host, origin string
		edit                     func(*http.Request)
		want                     bool
	}
	field := func(name string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, "10.0.0.1") }
	}
	senders := []sender{
		{"the page", "127.0.0.1:5000", page, "http://" + page, nil, false},
		{"the page over IPv6", "[::1]:5000", page, "http://" + page, nil, false},
		{"the page without an origin", "127.0.0.1:5000", page, "null", nil, false},
		{"a page of ours", "127.0.0.1:5000", "localhost:8081", "http://localhost:8081", nil, true},
		{"no page", "127.0.0.1:5000", page, "", nil, true},
		{"a page over the network", "192.0.2.1:5000", page, "http://" + page, nil, true},
		{"a page with TLS, behind a proxy beside us", "127.0.0.1:5000", "site.example", "https://site.example", field("X-Forwarded-For"), true},
		{"a page behind a proxy that says Via", "127.0.0.1:5000", "site.example", "http://site.example", field("Via"), true},
		{"a page behind a proxy that speaks HTTP/1.0", "127.0.0.1:5000", "site.example", "http://site.example",
			func(r *http.Request) { r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.0", 1, 0 }, true},
	}
	for name := range api.ProxyFields { // fetch lets a page set all but Via
		senders = append(senders, sender{"the page with " + name, "127.0.0.1:5000", page, "http://" + page, field(name), name == "Via"})
	}
	for _, prefix := range api.ProxyPrefixes {
		senders = append(senders, sender{"the page with " + prefix, "127.0.0.1:5000", page, "http://" + page, field(prefix + "For"), false})
	}
	for _, tt := range senders {
		for _, line := range []string{"POST /async-function/figlet", "POST /deadletter/figlet", "POST /v1/dead_set/" + apitest.IDOf(1).String() + "/replay"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, apitest.Arriving(line, func(r *http.Request) {
				r.RemoteAddr, r.Host = tt.peer, tt.host
				if tt.origin != "" {
					r.Header.Set("Origin", tt.origin)
					r.Header.Set("Sec-Fetch-Site", "same-origin")
				}
				if tt.edit != nil {
					tt.edit(r)
				}
			}))
			if got := w.Code != http.StatusForbidden; got != tt.want {
				t.Errorf("%s: %s answers %d %s, want %v", tt.name, line, w.Code, w.Body, tt.want)
			}
		}
	}
}

// The last one is a result of a function, which has a policy of its own.
func TestNoAnswerCanBeEmbeddedKeptOrGuessedAt(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *apitest.Options) { o.API.AdminOpen = true })
	inv := apitest.PendingAt(1, "figlet")
	r.Put(t, inv, nil)
	r.Settle(t, inv, invocation.OutcomeDone, &store.Result{
		Inv: inv, Outcome: invocation.OutcomeDone, Status: 200, Header: http.Header{"Content-Type": {"text/html"}, "Cache-Control": {"public"}},
		At: apitest.Begin, Expires: apitest.Begin.AddDate(100, 0, 0),
	})
	h := r.Handler
	lines := []string{"GET /nope", "PUT /v1/dead_set", "GET //", "GET /deadletter/a"}
	for _, o := range r.operations() {
		lines = append(lines, http.MethodOptions+" "+o.Path)
		if !isOfConsole(o.Path) { // see TestAPageRunsNothingAndIsNeverCached
			lines = append(lines, requestLine(o))
		}
	}
	for _, line := range append(lines, "GET /v1/invocations/"+inv.ID.String()+"/result") {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, apitest.Arriving(line))
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Cross-Origin-Resource-Policy": "same-origin",
			"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
		} {
			if got := w.Header().Get(name); got != want && (name != "Content-Security-Policy" || got != want+"; sandbox") {
				t.Errorf("%s answers %d with %s %q", line, w.Code, name, got)
			}
		}
	}
}

func TestNoAnswerOffersItselfToPagesOfOtherSites(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *apitest.Options) { o.API.AdminOpen = true })
	h := r.Handler
	for _, o := range r.operations() {
		for _, method := range []string{o.Method, http.MethodOptions} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, apitest.Arriving(requestLine(api.Operation{Method: method, Path: o.Path}), func(r *http.Request) {
				r.Header.Set("Origin", "http://example.com")
				r.Header.Set("Access-Control-Request-Method", o.Method)
			}))
			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf(`%s %s answers with %s, want no "Access-Control-" at its beginning`, method, o.Path, name)
				}
			}
		}
	}
}
