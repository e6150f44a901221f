// Hostile URLs against canaries: whatever is tried, none is reached.

package egress

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// wantRefused fails the test when err is not a refusal.
func wantRefused(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, ErrRefused) {
		t.Errorf("%s: error is %v, want a refusal", what, err)
	}
}

// vectors are ways to write this machine, its neighbours and the metadata
// services. PORT is the canaries' port.
var vectors = []string{
	// This machine, as it is.
	"http://127.0.0.1:PORT/", "http://127.0.0.2:PORT/", "http://127.255.255.254:PORT/", "http://[::1]:PORT/",
	"http://0.0.0.0:PORT/", "http://[::]:PORT/", "https://127.0.0.1:PORT/",
	// IPv4 inside IPv6.
	"http://[::ffff:127.0.0.1]:PORT/", "http://[::ffff:7f00:1]:PORT/", "http://[::ffff:7f00:0001]:PORT/", "http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/",
	"http://[::127.0.0.1]:PORT/", "http://[::ffff:0:127.0.0.1]:PORT/", "http://[64:ff9b::127.0.0.1]:PORT/", "http://[2002:7f00:1::]:PORT/",
	"http://[0000:0000:0000:0000:0000:0000:0000:0001]:PORT/", "http://[0::1]:PORT/", "http://[::ffff:0.0.0.0]:PORT/",
	// Zones.
	"http://[::1%25lo]:PORT/", "http://[::1%lo]:PORT/", "http://[fe80::1%25eth0]:PORT/", "http://[::ffff:127.0.0.1%251]:PORT/",
	// Numbers that some parsers take for 127.0.0.1 or 0.0.0.0.
	"http://2130706433:PORT/", "http://0x7f000001:PORT/", "http://0x7F.0x0.0x0.0x1:PORT/", "http://017700000001:PORT/", "http://0177.0.0.1:PORT/",
	"http://0177.0.0.01:PORT/", "http://127.1:PORT/", "http://127.0.1:PORT/", "http://0:PORT/", "http://0x0:PORT/", "http://127.0.0.0x1:PORT/",
	"http://127.0.0.1.:PORT/", "http://127.0.0.1..:PORT/", "http://00000127.0.0.1:PORT/", "http://127.000.000.001:PORT/", "http://4294967297:PORT/",
	"http://127.0.0.1.0x:PORT/", "http://256.256.256.256:PORT/",
	// Names of this machine.
	"http://localhost:PORT/", "http://localhost.:PORT/", "http://LOCALHOST:PORT/", "http://LocalHost.:PORT/", "http://localhost.localdomain:PORT/",
	"http://ip6-localhost:PORT/", "http://foo.localhost:PORT/", "HTTP://localhost:PORT/", "hTTp://LOCALHOST:PORT/",
	// Names that the DNS leads to this machine.
	"http://127.0.0.1.nip.io:PORT/", "http://localtest.me:PORT/", "http://evil.example:PORT/", "http://evil.example.:PORT/", "http://xn--bcher-kva.example:PORT/",
	"http://bücher.example:PORT/", "http://a_b.example:PORT/",
	// Letters and digits that fold to ASCII.
	"http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:PORT/", "http://ｌｏｃａｌｈｏｓｔ:PORT/", "http://①②⑦.⓪.⓪.①:PORT/", "http://１２７.０.０.１:PORT/", "http://127。0。0。1:PORT/",
	"http://127．0．0．1:PORT/", "http://127%E3%80%820%E3%80%820%E3%80%821:PORT/", "http://loc\u00adalhost:PORT/", "http://٠١٢٧.0.0.1:PORT/",
	// Escapes.
	"http://127%2e0%2e0%2e1:PORT/", "http://127.0.0.1%2f:PORT/", "http://%6c%6f%63%61%6c%68%6f%73%74:PORT/", "http://localhost%00:PORT/", "http://localhost%23:PORT/",
	// User information and separators.
	"http://example.com@127.0.0.1:PORT/", "http://example.com:80@127.0.0.1:PORT/", "http://example.com%2f@127.0.0.1:PORT/", "http://a:b@localhost:PORT/",
	"http://127.0.0.1:PORT#@example.com/", "http://127.0.0.1:PORT?@example.com/", "http://127.0.0.1:PORT\\@example.com/", "http://example.com\\@127.0.0.1:PORT/",
	"http://[::1]@127.0.0.1:PORT/", "http://127.0.0.1:PORT:80/", "http://127.0.0.1 @example.com:PORT/", "http://example.com#@127.0.0.1:PORT/ ",
	// Form.
	"", "/", "//127.0.0.1:PORT/", "127.0.0.1:PORT", "http:127.0.0.1:PORT", "http:/127.0.0.1:PORT/", "http:///127.0.0.1:PORT/", "http://:PORT/", "http://@:PORT/",
	" http://127.0.0.1:PORT/", "http://127.0.0.1:PORT/\r\nHost: example.com", "http://127.0.0.1\t:PORT/", "http://127.0.0.1:PORT/?a b",
	"file:///etc/passwd", "gopher://127.0.0.1:PORT/_", "ftp://127.0.0.1:PORT/", "unix:///run/docker.sock", "javascript:alert(1)", "ws://127.0.0.1:PORT/",
	"http+unix://%2Frun%2Fdocker.sock/", "http://127.0.0.1:0/", "http://127.0.0.1:65536/", "http://127.0.0.1:-1/", "http://127.0.0.1:http/", "http://127.0.0.1:8O/",
	"http://[127.0.0.1]:PORT/", "http://[::1:PORT/", "http://::1:PORT/", "http://[v1.fe80::a]:PORT/", "http://a$b.example:PORT/", "http://a..example:PORT/",
	// Metadata services and other ranges. None of these connects, so no packet leaves.
	"http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://[::ffff:169.254.169.254]/", "http://100.100.100.200/", "http://168.63.129.16/",
	"http://192.0.0.192/", "http://[fe80::a9fe:a9fe]/", "http://224.0.0.1/", "http://255.255.255.255/", "http://240.0.0.1/", "http://198.18.0.1/", "http://192.88.99.1/",
	"http://[2001:db8::1]/", "http://[3fff::1]/", "http://[100::1]/", "http://[5f00::1]/", "http://[2001::1]/", "http://[64:ff9b:1::a9fe:a9fe]/",
}

func TestHostileURLsReachNobody(t *testing.T) {
	t.Parallel()
	canaries := newCanaries(t)
	resolver := newResolver(t, everything("127.0.0.1", "::1")) // every name leads here
	for _, level := range []Level{Guarded, Strict} {
		g := newGuard(t, Options{Level: level, Resolver: resolver, Gateway: mustURL("http://gateway.example:8080")})
		for _, v := range vectors {
			v = strings.ReplaceAll(v, "PORT", canaries[0].port)
			wantRefused(t, level.String()+" "+v, call(t, g, v))
		}
	}
	if len(vectors) < 60 {
		t.Errorf("only %d vectors, want at least 60", len(vectors))
	}
	for _, c := range canaries {
		if n := c.connections(t); n != 0 {
			t.Errorf("the canary on %s saw %d connections, want 0", c.addr, n)
		}
	}
}

func TestStrictRefusesPrivateNetworks(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{Level: Strict, Resolver: newResolver(t, everything("10.96.0.10", "fd12:3456::1"))})
	for _, v := range []string{
		"http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/", "http://100.64.0.1/", "http://[fd12:3456::1]/", "http://[fc00::1]/",
		"http://[::ffff:10.0.0.1]/", "http://kubernetes.default.svc/", "http://consul.service:8500/",
	} {
		wantRefused(t, v, call(t, g, v))
	}
}

func TestOpenConnectsAnywhere(t *testing.T) {
	t.Parallel()
	c := newCanary(t, "127.0.0.1:0")
	g := newGuard(t, Options{Level: Open})
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		if err := dial(t, g, host+":"+c.port); err != nil {
			t.Errorf("%s: %v, want nil", host, err)
		}
	}
	if n := c.connections(t); n != 3 {
		t.Errorf("the listener saw %d connections, want 3", n)
	}
}

func TestANameThatChangesItsMindGainsNothing(t *testing.T) {
	t.Parallel()
	c := newCanary(t, "127.0.0.1:0")
	resolver := newResolver(t, func(_ string, n int) []netip.Addr {
		if n == 1 {
			return []netip.Addr{netip.MustParseAddr("93.184.216.34")} // public
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	})
	g := newGuard(t, Options{Resolver: resolver})
	first, err := resolver.LookupNetIP(t.Context(), "ip4", "rebind.example.")
	switch {
	case err != nil:
		t.Fatalf("the first answer: got %v, want an address", err)
	case len(first) != 1:
		t.Fatalf("the first answer: got %v, want one address", first)
	case g.check(netip.AddrPortFrom(first[0], 80).String(), false) != nil:
		t.Fatalf("the first answer %v is refused, want it allowed", first)
	}
	for range 3 {
		wantRefused(t, "the second answer", call(t, g, "http://rebind.example.:"+c.port+"/"))
	}
	if n := c.connections(t); n != 0 {
		t.Errorf("the canary saw %d connections, want 0", n)
	}
}

func TestAnAllowedAnswerIsNoPassForTheNextOne(t *testing.T) {
	t.Parallel()
	inside := newCanary(t, "127.0.0.1:0")
	outside := newCanary(t, "127.0.0.2:"+inside.port) // stands for a public address
	g := newGuard(t, Options{
		Allow: []string{"127.0.0.2"},
		Resolver: newResolver(t, func(_ string, n int) []netip.Addr {
			if n == 1 {
				return []netip.Addr{netip.MustParseAddr("127.0.0.2")}
			}
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
		}),
	})
	if err := dial(t, g, "rebind.example.:"+inside.port); err != nil {
		t.Errorf("the first answer is allowed: %v, want nil", err)
	}
	wantRefused(t, "the second answer", dial(t, g, "rebind.example.:"+inside.port))
	if in, out := inside.connections(t), outside.connections(t); in != 0 || out != 1 {
		t.Errorf("inside saw %d connections, want 0; outside %d, want 1", in, out)
	}
}

func TestOfSeveralAddressesOnlyTheAllowedOnesAreDialled(t *testing.T) {
	t.Parallel()
	inside := newCanary(t, "127.0.0.1:0")
	outside := newCanary(t, "127.0.0.2:0")
	g := newGuard(t, Options{
		Allow:    []string{"127.0.0.2/32"},
		Resolver: newResolver(t, everything("127.0.0.1", "::1", "127.0.0.2")),
	})
	if err := dial(t, g, "both.example.:"+outside.port); err != nil {
		t.Errorf("one address is allowed and answers: %v, want nil", err)
	}
	err := dial(t, g, "both.example.:"+inside.port) // 127.0.0.2 does not listen there
	switch {
	case err == nil:
		t.Errorf("error is %v; an allowed address that does not answer is worth a retry, want an error", err)
	case errors.Is(err, ErrRefused):
		t.Errorf("error is %v; an allowed address that does not answer is worth a retry: errors.Is(err, ErrRefused) = true, want false", err)
	}
	if n := inside.connections(t); n != 0 {
		t.Errorf("the canary saw %d connections, want 0", n)
	}
}

func TestARedirectIsJudgedLikeAnyOtherURL(t *testing.T) {
	t.Parallel()
	c := newCanary(t, "127.0.0.1:0")
	server := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:"+c.port+"/", http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	g := newGuard(t, Options{Gateway: mustURL(server.URL)})
	wantRefused(t, "where the gateway points", call(t, g, server.URL+"/function/f"))
	if n := c.connections(t); n != 0 {
		t.Errorf("the canary saw %d connections, want 0", n)
	}
}

func TestDialTakesOnlyTCPAndHostPort(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{Level: Open})
	for _, network := range []string{"unix", "udp", "ip", "", "tcp5"} {
		_, err := g.DialContext(t.Context(), network, "127.0.0.1:1")
		wantRefused(t, network, err)
	}
	for _, address := range []string{"", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:http", "[::1%lo]:80", "2130706433:80"} {
		wantRefused(t, address, dial(t, g, address))
	}
}

func TestACancelledDialIsNoRefusal(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g := newGuard(t, Options{Level: Open})
	switch _, err := g.DialContext(ctx, "tcp", "127.0.0.1:1"); {
	case err == nil:
		t.Errorf("error is %v, want an error", err)
	case errors.Is(err, ErrRefused):
		t.Errorf("error is %v: errors.Is(err, ErrRefused) = true, want false", err)
	}
}

func TestARefusalSaysWhatAndWhatHelps(t *testing.T) {
	t.Parallel()
	err := dial(t, newGuard(t, Options{}), "127.0.0.1:8080")
	const want = "refused by callback_policy: 127.0.0.1:8080 is a loopback address, which guarded refuses; callback_allow can permit it"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error is %v, want %s", err, want)
	}
}
