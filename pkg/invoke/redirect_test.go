package invoke

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/invocation"
)

// hops is a gateway, and the same over TLS, that answer a script: one answer for each request, the last for all others.
type hops struct {
	plain, secure *httptest.Server

	mu     sync.Mutex
	script []hopAnswer
	seen   []string // scheme, URI and length of each request
}

// hopAnswer is an answer; {http} and {https} in its Location stand for the two servers.
type hopAnswer struct {
	status   int
	location string
	started  string // X-Start-Time
}

func newHops(t *testing.T, script ...hopAnswer) *hops {
	t.Helper()
	h := &hops{script: script}
	h.plain, h.secure = httptest.NewServer(h.serve("http")), httptest.NewTLSServer(h.serve("https"))
	t.Cleanup(h.plain.Close)
	t.Cleanup(h.secure.Close)
	return h
}

func (h *hops) serve(scheme string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.seen = append(h.seen, fmt.Sprintf("%s %s %d", scheme, r.URL.RequestURI(), r.ContentLength))
		a := h.script[min(len(h.seen), len(h.script))-1]
		if a.started != "" {
			w.Header().Set("X-Start-Time", a.started)
		}
		if a.location != "" {
			w.Header().Set("Location", h.expand(a.location))
		}
		w.WriteHeader(a.status)
	}
}

func (h *hops) expand(s string) string {
	return strings.NewReplacer("{http}", h.plain.URL, "{https}", h.secure.URL).Replace(s)
}

// client calls the plain server, and trusts the other.
func (h *hops) client(t *testing.T, change func(*Options)) *Client {
	t.Helper()
	at, err := url.Parse(h.plain.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, at.Host, change)
	pool := x509.NewCertPool()
	pool.AddCert(h.secure.Certificate())
	c.functions.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	return c
}

// redirectedCall has a body for connections of our own, or one for those of net/http.
func redirectedCall(t *testing.T, large bool, header http.Header) Call {
	t.Helper()
	n := 5
	if large {
		n = smallBody + 1
	}
	r := decoded(t, types.QueueRequest{Function: "fn", Path: "/p", QueryString: "q=1", Header: header, Body: make([]byte, n)})
	return Call{ID: testID, CallID: "c1", RetryMax: 10, Request: r, KeepBody: true}
}

// now is the X-Start-Time of a gateway, whose clock may be off.
func now(off time.Duration) string { return strconv.FormatInt(time.Now().Add(off).UnixNano(), 10) }

func TestWhatARedirectOfACallMeans(t *testing.T) {
	t.Parallel()
	const same = "/function/fn/p?q=1"
	through := now(0)
	for _, tt := range []struct {
		name   string
		header http.Header
		script []hopAnswer
		calls  int
		want   Result // Status, Cause, Redirected, GatewayURL and Detail
	}{
		{"a 301 of the function is its answer", nil, []hopAnswer{{301, "/x", through}}, 1, Result{Status: 301}},
		{"a 302 of the function is its answer", nil, []hopAnswer{{302, "https://login/", through}}, 1, Result{Status: 302}},
		{"a 303 of the function is its answer", nil, []hopAnswer{{303, "", through}}, 1, Result{Status: 303}},
		{"a clock that is off by 23 hours", nil, []hopAnswer{{302, "/x", now(23 * time.Hour)}}, 1, Result{Status: 302}},
		{"a clock that is off by 25 hours", nil, []hopAnswer{{302, "/x", now(25 * time.Hour)}}, 1, unreached("{http}", 302)},
		{"an old start time", nil, []hopAnswer{{302, "/x", now(-25 * time.Hour)}}, 1, unreached("{http}", 302)},
		{"a start time of 20 digits", nil, []hopAnswer{{302, "/x", through + "0"}}, 1, unreached("{http}", 302)},
		{"a start time with a sign", nil, []hopAnswer{{302, "/x", "+" + through[1:]}}, 1, unreached("{http}", 302)},
		{"a 307 of the function to itself", nil, []hopAnswer{{307, "/function/fn/other?z", through}, {200, "", through}}, 2, Result{Status: 200}},
		{"a 308 of the function to its root", nil, []hopAnswer{{308, "{http}/function/fn", through}, {200, "", ""}}, 2, Result{Status: 200}},
		{"a 307 of the function to another one", nil, []hopAnswer{{307, "/function/fn2", through}}, 1, elsewhere(307, "{http}")},
		{"a 307 of the function that climbs", nil, []hopAnswer{{307, "/function/fn/%2e%2e/fn2", through}}, 1, elsewhere(307, "{http}")},
		{"a 307 of the function to another port", nil, []hopAnswer{{307, "http://127.0.0.1:1" + same, through}}, 1, elsewhere(307, "http://127.0.0.1:1")},
		{"a 308 of the function to nowhere", nil, []hopAnswer{{308, "", through}}, 1, Result{Status: 308, Redirected: true, Detail: "redirected to no usable URL"}},
		{"a 308 of the function to another scheme", nil, []hopAnswer{{308, "ftp://x/", through}}, 1, Result{Status: 308, Redirected: true, Detail: "redirected to no usable URL"}},
		{"a 307 of the function without end", nil, []hopAnswer{{307, same, through}}, 4, elsewhere(307, "{http}")},
		{"a login page", nil, []hopAnswer{{302, "https://login.example/?next=secret", ""}}, 1, unreached("https://login.example", 302)},
		{"a 301 to TLS", nil, []hopAnswer{{301, "{https}" + same, ""}}, 1, moved(unreached("{https}", 301), "{https}")},
		{"a 304 is no redirect", nil, []hopAnswer{{304, "", ""}}, 1, Result{Status: 304}},
		{"a 308 to TLS", nil, []hopAnswer{{308, "{https}" + same, ""}, {200, "", through}}, 2, moved(Result{Status: 200}, "{https}")},
		{"a 307 to TLS, and then one of the function", nil, []hopAnswer{{307, "{https}" + same, ""}, {307, "/function/fn/", through}, {204, "", through}}, 3, moved(Result{Status: 204}, "{https}")},
		{"a 307 to TLS and back", nil, []hopAnswer{{307, "{https}" + same, ""}, {307, "{http}" + same, ""}}, 2, moved(unreached("{http}", 307), "{https}")},
		{"a 307 to the same URL", nil, []hopAnswer{{307, same, ""}, {200, "", through}}, 2, moved(Result{Status: 200}, "{http}")},
		{"a 307 to the same URL without end", nil, []hopAnswer{{307, same, ""}}, 4, moved(unreached("{http}", 307), "{http}")},
		{"a 308 to TLS with another path", nil, []hopAnswer{{308, "{https}/function/fn/", ""}}, 1, unreached("{https}", 308)},
		{"a 308 to TLS with another query", nil, []hopAnswer{{308, "{https}/function/fn/p?q=2", ""}}, 1, unreached("{https}", 308)},
		{"a 308 to another host", nil, []hopAnswer{{308, "https://other" + same, ""}}, 1, unreached("https://other", 308)},
		{"a 308 to another port", nil, []hopAnswer{{308, "http://127.0.0.1:1" + same, ""}}, 1, unreached("http://127.0.0.1:1", 308)},
		{"a 308 with credentials in its URL", nil, []hopAnswer{{308, "https://u:p@127.0.0.1" + same, ""}}, 1, Result{Status: 503, Cause: invocation.CauseRedirected, Detail: "redirected to no usable URL with status 308 before it came to the function"}},
		{"credentials are not sent on", http.Header{"Authorization": {"Bearer x"}}, []hopAnswer{{308, "{https}" + same, ""}}, 1, moved(unreached("{https}", 308), "{https}")},
		{"nor are cookies", http.Header{"Cookie": {"a=b"}}, []hopAnswer{{308, "{https}" + same, ""}}, 1, moved(unreached("{https}", 308), "{https}")},
		{"nor is the URL of a callback", http.Header{"X-Callback-Url": {"http://u:p@cb/"}}, []hopAnswer{{308, "{https}" + same, ""}}, 1, moved(unreached("{https}", 308), "{https}")},
		{"the function's own redirect takes them", http.Header{"Authorization": {"Bearer x"}}, []hopAnswer{{308, "/function/fn/", through}, {200, "", through}}, 2, Result{Status: 200}},
	} {
		for _, large := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, large %v", tt.name, large), func(t *testing.T) {
				t.Parallel()
				h := newHops(t, tt.script...)
				r := h.client(t, nil).Function(t.Context(), redirectedCall(t, large, tt.header))
				got := Result{Status: r.Status, Cause: r.Cause, Redirected: r.Redirected, GatewayURL: r.GatewayURL, Detail: r.Detail}
				want := tt.want
				want.GatewayURL, want.Detail = h.expand(want.GatewayURL), h.expand(want.Detail)
				if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
					t.Errorf("got  %+v\nwant %+v", got, want)
				}
				if len(h.seen) != tt.calls {
					t.Errorf("got %d calls, want %d: %q", len(h.seen), tt.calls, h.seen)
				}
				for _, seen := range h.seen {
					if length := strings.Fields(seen)[2]; length != strconv.FormatInt(redirectedCall(t, large, nil).Request.BodyLen(), 10) {
						t.Errorf("a call carried %s bytes: %s, want %v", length, seen, strconv.FormatInt(redirectedCall(t, large, nil).Request.BodyLen(), 10))
					}
				}
			})
		}
	}
}

// unreached is the result of a call that was redirected before it came to the gateway.
func unreached(origin string, status int) Result {
	return Result{
		Status: 503, Cause: invocation.CauseRedirected,
		Detail: fmt.Sprintf("redirected to %s with status %d before it came to the function", origin, status),
	}
}

// elsewhere is that of a function which asks for a repetition at another URL.
func elsewhere(status int, origin string) Result {
	return Result{Status: status, Redirected: true, Detail: "redirected to " + origin}
}

// moved adds the URL of the gateway that is to be configured.
func moved(r Result, gateway string) Result {
	r.GatewayURL = gateway
	return r
}

// TestRedirectsShareTheTimeOfTheCall: three hops have no more time than one.
func TestRedirectsShareTheTimeOfTheCall(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var calls sync.Map
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, again := calls.LoadOrStore("first", true); again {
			select {
			case <-r.Context().Done():
			case <-release:
			}
			return
		}
		w.Header().Set("X-Start-Time", now(0))
		w.Header().Set("Location", "/function/fn/")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	defer s.Close()
	defer close(release)
	at, _ := url.Parse(s.URL)
	c := newClient(t, at.Host, func(o *Options) { o.Timeout = 300 * time.Millisecond })
	r := c.Function(t.Context(), redirectedCall(t, false, nil))
	if r.Cause != invocation.CauseTimeout {
		t.Errorf("got cause %q, want timeout: %+v", r.Cause, r)
	}
}

// TestARedirectTakesNoCookie: nothing of a redirect's answer is in a later call.
func TestARedirectTakesNoCookie(t *testing.T) {
	t.Parallel()
	s := answering(t, wire(302, "", "Location: http://127.0.0.1:1/", "Set-Cookie: a=b", "X-Start-Time: "+now(0)))
	c := newClient(t, s.address, nil)
	for range 2 {
		if r := c.Function(t.Context(), callOf(t, "x")); r.Status != 302 || r.Header.Get("Location") == "" {
			t.Errorf("got %+v, want the answer as it came", r)
		}
	}
	if slices.ContainsFunc(s.seen(), func(req string) bool { return strings.Contains(req, "Cookie") }) {
		t.Errorf("requests are %q, want none with a cookie", s.seen())
	}
}
