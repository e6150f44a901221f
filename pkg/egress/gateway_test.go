// Callbacks that aim at the gateway: its functions get them, nothing else of it does.

package egress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// gatewayCanary is a gateway that records the paths it is asked for.
type gatewayCanary struct {
	port string

	mu    sync.Mutex
	paths []string // as they came, encoded
}

// newGatewayCanary listens on one port of 127.0.0.1, 127.0.0.2 and [::1], of the
// latter two where the machine has them.
func newGatewayCanary(t *testing.T) *gatewayCanary {
	t.Helper()
	c := &gatewayCanary{}
	first, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, c.port, _ = net.SplitHostPort(first.Addr().String())
	listeners := []net.Listener{first}
	for _, host := range []string{"127.0.0.2", "::1"} {
		if l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(host, c.port)); err == nil {
			listeners = append(listeners, l)
		}
	}
	for _, l := range listeners {
		s := &httptest.Server{Listener: l, Config: &http.Server{Handler: c}} // #nosec G112 -- a test's own
		s.Start()
		t.Cleanup(s.Close)
	}
	return c
}

func (c *gatewayCanary) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paths = append(c.paths, r.URL.EscapedPath())
}

func (c *gatewayCanary) got() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.paths)
}

// placesOfGateway are ways to write the host of a gateway at gateway.example, all of
// whose names lead to 127.0.0.1.
var placesOfGateway = []string{
	"gateway.example:PORT", "GATEWAY.Example:PORT", "gateway.example.:PORT", "user:pw@gateway.example:PORT", "function@gateway.example:PORT",
	"other.example:PORT", "a.b.gateway.example:PORT", "xn--bcher-kva.example:PORT", "bücher.example:PORT", "ＧＡＴＥＷＡＹ.example:PORT",
	"localhost:PORT", "127.0.0.1:PORT", "127.0.0.2:PORT", "[::1]:PORT", "[::ffff:127.0.0.1]:PORT", "[::ffff:7f00:1]:PORT",
	"0.0.0.0:PORT", "[::]:PORT", "１２７.０.０.１:PORT",
}

// pathsOfGateway are paths that are no function's.
var pathsOfGateway = []string{
	"", "/", "/system/functions", "/system/functions?x=/function/f", "/system/functions#/function/f", "/system/function/f", "/system/scale-function/f",
	"//system/functions", "/./system/functions", "/system%2ffunctions", "/healthz", "/ui/", "/metrics", "/function", "/async-function", "/function/", "/async-function/",
	"/functions/f", "/async-functions/f", "/Function/f", "/FUNCTION/f", "/%66unction/f", "/function%2ff", "/function;x/f", "/system/functions/function/f",
	"/function//f", "/function/f//system", "/function/f%2f/system", "//function/f", "/function/../system/functions", "/function/f/../../system/functions",
	"/function/f/..%2f..%2fsystem/functions", "/function/%2e%2e/system/functions", "/function/f/%2e%2e/%2E%2e/system/functions", "/function/f/%252e%252e/system",
	"/function/f/%25252e%25252e/system", `/function/f\..\..\system\functions`, "/function/f/..%5c..%5csystem", "/function/..;/system/functions", "/function/.f",
	"/function/f%00/../system", "/function/%66", "/function/a b", "/async-function/../system/functions", "/async-function/f/..", "/async-function/f/./g", "/function/f/.",
	"/../function/f", "/function/f/../g",
}

// pathsOfFunctions are paths that pass.
var pathsOfFunctions = []string{
	"/function/f", "/function/f/", "/function/f.openfaas-fn/a/b?c=/../d", "/function/f/a%2Fb", "/function/f/.well-known/a..b", "/function/f?/system/functions",
	"/async-function/f", "/async-function/f.ns/x?y=z", "/async-function/f/",
}

// policies are every level, alone and with callback_allow for everything.
func policies() []Options {
	everywhere := []string{"0.0.0.0/0", "::/0", "gateway.example", "other.example", "localhost", "a.b.gateway.example", "xn--bcher-kva.example"}
	var all []Options
	for _, l := range Levels() {
		all = append(all, Options{Level: l}, Options{Level: l, Allow: everywhere})
	}
	return all
}

func TestOnlyFunctionsOfTheGatewayGetCallbacks(t *testing.T) {
	t.Parallel()
	c := newGatewayCanary(t)
	resolver := newResolver(t, everything("127.0.0.1"))
	for _, o := range policies() {
		o.Resolver, o.Gateway = resolver, mustURL("http://gateway.example:"+c.port)
		g := newGuard(t, o)
		for _, place := range placesOfGateway {
			refuseBoth(t, g, "http://"+strings.ReplaceAll(place, "PORT", c.port)+"/system/functions")
		}
		for _, path := range pathsOfGateway {
			for _, host := range []string{"gateway.example", "other.example", "127.0.0.1"} {
				refuseBoth(t, g, "http://"+host+":"+c.port+path)
			}
		}
	}
	if got := c.got(); len(got) > 0 {
		t.Errorf("the gateway got %d requests, the first for %q, want 0", len(got), got[0])
	}
}

// refuseBoth posts to a URL that has to be refused, as a new one and as one that
// was stored before the check existed.
func refuseBoth(t *testing.T, g *Guard, raw string) {
	t.Helper()
	wantRefused(t, g.level.String()+" "+raw, call(t, g, raw))
	if u, err := url.Parse(raw); err == nil {
		u.User = nil
		if err := post(t, g, u); err == nil {
			t.Errorf("%s %s: posted, although CheckURL refuses it: err = %v, want an error", g.level, raw, err)
		}
	}
}

func TestEveryFunctionOfTheGatewayGetsCallbacks(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "/", "/base/path", "/b%2Fc"} {
		c := newGatewayCanary(t)
		resolver := newResolver(t, everything("127.0.0.1"))
		for _, o := range policies() {
			o.Resolver, o.Gateway = resolver, mustURL("http://gateway.example:"+c.port+base)
			g := newGuard(t, o)
			var want []string
			for _, path := range pathsOfFunctions {
				u := mustURL("http://gateway.example:" + c.port + strings.TrimRight(base, "/") + path)
				want = append(want, u.EscapedPath())
				if err := call(t, g, u.String()); err != nil {
					t.Errorf("%s %s: %v, want nil", o.Level, u, err)
				}
				if base == "/base/path" {
					wantRefused(t, "without the path of gateway_url", call(t, g, "http://gateway.example:"+c.port+path))
				}
			}
			if got := c.got(); len(got) < len(want) || !slices.Equal(got[len(got)-len(want):], want) {
				t.Errorf("%s: the gateway was asked for %q, want %q", o.Level, got[max(0, len(got)-len(want)):], want)
			}
		}
	}
}

func TestAnotherPortOfTheGatewayIsNotTheGateway(t *testing.T) {
	t.Parallel()
	c := newCanary(t, "127.0.0.1:0")
	g := newGuard(t, Options{Level: Open, Resolver: newResolver(t, everything("127.0.0.1")), Gateway: mustURL("http://gateway.example:1")})
	if err := dial(t, g, "gateway.example:"+c.port); err != nil {
		t.Error(err)
	}
	if n := c.connections(t); n != 1 {
		t.Errorf("the listener saw %d connections, want 1", n)
	}
}

func TestTheGatewaysPortIsTheSameWrittenOrNot(t *testing.T) {
	t.Parallel()
	tests := []struct {
		gateway, url string
		want         bool // refused
	}{
		{"http://gateway.example", "http://gateway.example/system/functions", true},
		{"http://gateway.example", "http://gateway.example:80/system/functions", true},
		{"http://gateway.example:80", "http://gateway.example/system/functions", true},
		{"http://gateway.example:80", "http://gateway.example:/system/functions", true},
		{"http://gateway.example", "https://gateway.example:80/system/functions", true},
		{"https://gateway.example", "https://gateway.example/system/functions", true},
		{"https://gateway.example", "https://gateway.example:443/system/functions", true},
		{"https://gateway.example:443", "http://gateway.example:443/system/functions", true},
		{"https://gateway.example", "https://gateway.example/async-function/f", false},
		{"https://gateway.example", "http://gateway.example/system/functions", false}, // another port
		{"http://10.0.0.1:8080", "http://[::ffff:10.0.0.1]:8080/system/functions", true},
		{"http://[::ffff:10.0.0.1]:8080", "http://10.0.0.1:08080/system/functions", true},
	}
	for _, tt := range tests {
		_, err := newGuard(t, Options{Level: Open, Gateway: mustURL(tt.gateway)}).CheckURL(tt.url)
		if got := errors.Is(err, ErrRefused); got != tt.want {
			t.Errorf("%s with the gateway at %s: %v, want refused: %v", tt.url, tt.gateway, err, tt.want)
		}
	}
}

// at asks whether an address, with port 8080, is the gateway's.
func at(t *testing.T, g *Guard, addr string) bool {
	t.Helper()
	is, err := g.isGateway(t.Context(), netip.AddrPortFrom(netip.MustParseAddr(addr), 8080))
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func TestTheGatewaysAddressesFollowTheDNS(t *testing.T) {
	t.Parallel()
	// The gateway moves from .1 to .2, and is gone from the DNS then.
	g := newGuard(t, Options{Gateway: mustURL("http://gateway.example.:8080"), Resolver: newResolver(t, func(_ string, n int) []netip.Addr {
		switch n {
		case 1:
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}
		case 2:
			return []netip.Addr{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd12::2")}
		}
		return nil
	})})
	if !at(t, g, "10.0.0.1") {
		t.Error("it is not where the DNS says: at(t, g, \"10.0.0.1\") = false, want true")
	}
	if !at(t, g, "10.0.0.2") {
		t.Error("it is not where it went between two dials: at(t, g, \"10.0.0.2\") = false, want true")
	}
	for _, addr := range []string{"10.0.0.1", "10.0.0.2", "fd12::2", "64:ff9b::a00:2"} {
		if !at(t, g, addr) {
			t.Errorf("%s, which the DNS named a short time ago, is forgotten while it names nothing: at(t, g, addr) = false, want true", addr)
		}
	}
	if at(t, g, "10.0.0.3") {
		t.Error("an address that it never had is the gateway's: at(t, g, \"10.0.0.3\") = true, want false")
	}
}

func TestAnOldAddressOfTheGatewayIsForgotten(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{Gateway: mustURL("http://gateway.example.:8080"), Resolver: newResolver(t, everything("10.0.0.2"))})
	g.gateway.seen = map[netip.Addr]time.Time{
		netip.MustParseAddr("10.0.0.1"): time.Now().Add(-addressMemory - time.Second),
		netip.MustParseAddr("10.0.0.3"): time.Now().Add(-addressMemory / 2),
	}
	for addr, want := range map[string]bool{"10.0.0.1": false, "10.0.0.2": true, "10.0.0.3": true} {
		if got := at(t, g, addr); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
}

func TestWithoutAnyAddressOfTheGatewayItsPortIsTriedLater(t *testing.T) {
	t.Parallel()
	c := newCanary(t, "127.0.0.1:0")
	other := newCanary(t, "127.0.0.1:0")
	g := newGuard(t, Options{Level: Open, Gateway: mustURL("http://gateway.example.:" + c.port), Resolver: newResolver(t, everything())})
	for range 2 {
		err := dial(t, g, "127.0.0.1:"+c.port)
		switch {
		case !errors.Is(err, ErrGatewayUnknown):
			t.Errorf("error is %v; whether it is the gateway is not known, and may be later, want %v", err, ErrGatewayUnknown)
		case errors.Is(err, ErrRefused):
			t.Errorf("error is %v; whether it is the gateway is not known, and may be later: errors.Is(err, ErrRefused) = true, want false", err)
		}
	}
	if err := dial(t, g, "127.0.0.1:"+other.port); err != nil {
		t.Errorf("another port: %v, want nil", err)
	}
	if n := c.connections(t); n != 0 {
		t.Errorf("the canary saw %d connections, want 0", n)
	}
}

func TestAGatewayOfThisMachineIsAtAllItsAddresses(t *testing.T) {
	t.Parallel()
	for _, gateway := range []string{"127.0.0.1", "0.0.0.0", "[::1]", "[::]", "192.0.2.77"} {
		g := newGuard(t, Options{Gateway: mustURL("http://" + gateway + ":8080")})
		g.localAddrs = func() ([]net.Addr, error) {
			return []net.Addr{&net.IPNet{IP: net.ParseIP("192.0.2.77"), Mask: net.CIDRMask(24, 32)}}, nil
		}
		for _, addr := range []string{"127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "192.0.2.77", "64:ff9b::192.0.2.77"} {
			if !at(t, g, addr) {
				t.Errorf("%s reaches the gateway at %s: at(t, g, addr) = false, want true", addr, gateway)
			}
		}
		if at(t, g, "192.0.2.78") {
			t.Errorf("192.0.2.78 is not the gateway at %s: at(t, g, \"192.0.2.78\") = true, want false", gateway)
		}
	}
}

func TestACancelledLookupOfTheGatewayIsNoRefusal(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{Gateway: mustURL("http://gateway.example.:8080"), Resolver: newResolver(t, everything("10.0.0.1"))})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := g.isGateway(ctx, netip.MustParseAddrPort("10.0.0.1:8080"))
	switch {
	case err == nil:
		t.Errorf("error is %v, want an error", err)
	case errors.Is(err, ErrRefused):
		t.Errorf("error is %v: errors.Is(err, ErrRefused) = true, want false", err)
	}
}
