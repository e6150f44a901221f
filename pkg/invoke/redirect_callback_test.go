package invoke

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"queue-worker/pkg/egress"
)

// receivers are four servers: a and b for callbacks, s over TLS, and the gateway. Each answers /to?<url> with a redirect
// of the status that a request names, and anything else with 200.
type receivers struct {
	a, b, s, gw *httptest.Server

	mu   sync.Mutex
	seen []string // name, path and whether there were credentials
}

func newReceivers(t *testing.T) *receivers {
	t.Helper()
	r := &receivers{}
	r.a, r.b = httptest.NewServer(r.serve("a")), httptest.NewServer(r.serve("b"))
	r.s, r.gw = httptest.NewTLSServer(r.serve("s")), httptest.NewServer(r.serve("gw"))
	for _, s := range []*httptest.Server{r.a, r.b, r.s, r.gw} {
		t.Cleanup(s.Close)
	}
	return r
}

func (r *receivers) serve(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		_, _, credentials := req.BasicAuth()
		r.mu.Lock()
		r.seen = append(r.seen, fmt.Sprintf("%s %s %v %d", name, req.URL.Path, credentials, req.ContentLength))
		r.mu.Unlock()
		var status int
		if n, _ := fmt.Sscanf(req.URL.Path, "/to/%d", &status); n == 1 {
			w.Header().Set("Location", req.URL.RawQuery)
			w.WriteHeader(status)
		}
	}
}

// expand puts the addresses of the servers in the place of their names.
func (r *receivers) expand(s string) string {
	return strings.NewReplacer("{a}", r.a.Listener.Addr().String(), "{b}", r.b.Listener.Addr().String(),
		"{s}", r.s.Listener.Addr().String(), "{gw}", r.gw.Listener.Addr().String()).Replace(s)
}

func TestWhereARedirectOfACallbackIsFollowed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, url string
		want      Result // Status, Refused and Detail
		seen      string
	}{
		{"a 307 to another host", "http://u:p@{a}/to/307?http://{b}/in", Result{Status: 200}, "a /to/307 true 1|b /in false 1"},
		{"a 308 to another path", "http://u:p@{a}/to/308?/in", Result{Status: 200}, "a /to/308 true 1|a /in true 1"},
		{"a 308 to TLS", "http://u:p@{a}/to/308?https://{s}/in", Result{Status: 200}, "a /to/308 true 1|s /in false 1"},
		{"there and back", "http://u:p@{a}/to/307?http://{b}/to/307?http://{a}/in", Result{Status: 200}, "a /to/307 true 1|b /to/307 false 1|a /in false 1"},
		{"three hops", "http://{a}/to/307?/to/307?/to/307?/in", Result{Status: 200}, "a /to/307 false 1|a /to/307 false 1|a /to/307 false 1|a /in false 1"},
		{"four hops", "http://{a}/to/307?/to/307?/to/307?/to/307?/in", Result{Status: 307, Detail: "redirected to http://{a}"}, "a /to/307 false 1|a /to/307 false 1|a /to/307 false 1|a /to/307 false 1"},
		{"a 301", "http://{a}/to/301?http://{b}/in", Result{Status: 301, Detail: "redirected to http://{b}"}, "a /to/301 false 1"},
		{"a 302", "http://{a}/to/302?http://{b}/in", Result{Status: 302, Detail: "redirected to http://{b}"}, "a /to/302 false 1"},
		{"a 303", "http://{a}/to/303?http://{b}/in?secret", Result{Status: 303, Detail: "redirected to http://{b}"}, "a /to/303 false 1"},
		{"a 307 to nowhere", "http://{a}/to/307?", Result{Status: 307, Detail: "redirected to no usable URL"}, "a /to/307 false 1"},
		{"a 307 to a file", "http://{a}/to/307?file:///etc/passwd", Result{Status: 307, Detail: "redirected to no usable URL"}, "a /to/307 false 1"},
		{"a 307 with credentials", "http://{a}/to/307?http://u:p@{b}/in", Result{Status: 307, Detail: "redirected to no usable URL"}, "a /to/307 false 1"},
		{"a 307 from TLS to none", "https://{s}/to/307?http://{b}/in", Result{Status: 307, Detail: "redirected to http://{b}"}, "s /to/307 false 1"},
		{
			"a 307 to the gateway's API", "http://{a}/to/307?http://{gw}/system/functions",
			Result{Refused: true, Detail: "redirected to http://{gw}: refused by callback_policy: the URL leads to the gateway, which takes callbacks below /function/<name> and /async-function/<name> only"}, "a /to/307 false 1",
		},
		{
			"a 307 to the gateway's API by another name", "http://{a}/to/307?http://localhost:{gwport}/system/functions",
			Result{Refused: true, Detail: "redirected to http://localhost:{gwport}: refused by callback_policy: the URL leads to the gateway, which takes callbacks below /function/<name> and /async-function/<name> only"}, "a /to/307 false 1",
		},
		{"a 307 to a function", "http://{a}/to/307?http://{gw}/function/next", Result{Status: 200}, "a /to/307 false 1|gw /function/next false 1"},
		{"from a function to the gateway's API", "http://{gw}/function/next/../../system", Result{Refused: true}, ""},
		{
			"a 307 to an address that is refused", "http://{a}/to/307?http://169.254.169.254/",
			Result{Refused: true, Detail: "redirected to http://169.254.169.254: refused by callback_policy: 169.254.169.254:80 is a link-local address, which guarded refuses; callback_allow can permit it"}, "a /to/307 false 1",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rs := newReceivers(t)
			gateway, err := url.Parse(rs.gw.URL)
			if err != nil {
				t.Fatal(err)
			}
			guard, err := egress.New(egress.Options{Allow: []string{"127.0.0.0/8", "localhost"}, Gateway: gateway})
			if err != nil {
				t.Fatal(err)
			}
			expand := func(s string) string { return strings.ReplaceAll(rs.expand(s), "{gwport}", gateway.Port()) }
			c := newClient(t, gateway.Host, func(o *Options) { o.Guard, o.TLSInsecure = guard, true })
			got := c.Callback(t.Context(), expand(tt.url), stored(t, nil, "x"))
			if got.Status != tt.want.Status || got.Refused != tt.want.Refused || tt.want.Detail != "" && got.Detail != expand(tt.want.Detail) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			if seen := strings.Join(rs.seen, "|"); seen != tt.seen {
				t.Errorf("got requests %q, want %q", seen, tt.seen)
			}
		})
	}
}
