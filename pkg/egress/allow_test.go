// callback_allow and the gateway: who passes whatever the level.

package egress

import (
	"strings"
	"testing"
)

func TestAllowWinsOverTheLevel(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, allow, host string
		want              bool
	}{
		{"an address", "127.0.0.1", "127.0.0.1", true},
		{"another address", "127.0.0.2", "127.0.0.1", false},
		{"a range", "127.0.0.0/8", "127.0.0.1", true},
		{"a range with bits behind it", "127.9.9.9/8", "127.0.0.1", true},
		{"a range beside it", "128.0.0.0/8", "127.0.0.1", false},
		{"an address covers names that lead to it", "127.0.0.1", "hooks.example", true},
		{"an address covers its disguise", "127.0.0.1", "[::ffff:127.0.0.1]", true},
		{"a disguised address", "::ffff:127.0.0.1", "127.0.0.1", true},
		{"a disguised range", "::ffff:127.0.0.0/104", "127.0.0.1", true},
		{"a range of IPv6 says nothing of IPv4", "::/0", "127.0.0.1", false},
		{"a bracketed address says nothing of another family", "[::1]", "127.0.0.1", false},
		{"a name, wherever it leads", "hooks.example", "hooks.example", true},
		{"a name in another case", "Hooks.Example", "hOOKS.eXAMPLE", true},
		{"a name with a dot at its end", "hooks.example.", "hooks.example", true},
		{"a URL's name with a dot at its end", "hooks.example", "hooks.example.", true},
		{"a name beyond ASCII", "bücher.example", "xn--bcher-kva.example", true},
		{"a URL's name beyond ASCII", "xn--bcher-kva.example", "BÜCHER.example", true},
		{"a name does not cover names below it", "hooks.example", "a.hooks.example", false},
		{"a name does not cover names that end in it", "hooks.example", "evilhooks.example", false},
		{"a name does not cover its address", "hooks.example", "127.0.0.1", false},
		{"spaces around it", "  hooks.example ", "hooks.example", true},
		{"an empty entry allows nothing", " ", "hooks.example", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCanary(t, "127.0.0.1:0")
			g := newGuard(t, Options{Level: Strict, Allow: []string{"", tt.allow}, Resolver: newResolver(t, everything("127.0.0.1"))})
			u, err := g.CheckURL("http://" + tt.host + ":" + c.port + "/")
			if err != nil {
				t.Fatal(err)
			}
			err = dial(t, g, u.Host)
			if !tt.want {
				wantRefused(t, tt.host, err)
			} else if err != nil {
				t.Error(err)
			}
			if n := c.connections(t); (n == 1) != tt.want {
				t.Errorf("the listener saw %d connections: n == 1 = %v, want %v", n, n == 1, tt.want)
			}
		})
	}
}

func TestNewNamesEveryBadEntryOfAllow(t *testing.T) {
	t.Parallel()
	bad := []string{
		"*.example.com", "http://hooks.example/", "hooks.example:80", "127.0.0.1:80", "10.0.0.0/33", "10.0.0", "10.0.0.0/", "/8",
		"a b", "fe80::1%eth0", "[::1", "a..b", ".", "-_!", strings.Repeat("a", 254),
	}
	_, err := New(Options{Allow: append([]string{"fine.example", "10.0.0.0/8"}, bad...)})
	if err == nil {
		t.Fatalf("all are taken: err = %v, want an error", err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(bad) {
		t.Fatalf("%d problems, want %d:\n%v", len(lines), len(bad), err)
	}
	for i, line := range lines {
		switch {
		case !strings.Contains(line, `"`+bad[i]+`"`):
			t.Errorf("problem %d does not name %q: %s, want %q in it", i, bad[i], line, `"`+bad[i]+`"`)
		case !strings.HasPrefix(line, "callback_allow: "):
			t.Errorf("problem %d does not name %q: %s, want it to begin with %q", i, bad[i], line, "callback_allow: ")
		}
	}
}

func TestTheGatewaysFunctionsAlwaysPass(t *testing.T) {
	t.Parallel()
	gateway, other := newCanary(t, "127.0.0.1:0"), newCanary(t, "127.0.0.1:0")
	resolver := newResolver(t, everything("127.0.0.1"))
	byName := newGuard(t, Options{Level: Strict, Resolver: resolver, Gateway: mustURL("http://user:pw@Gateway.example:" + gateway.port)})
	byAddr := newGuard(t, Options{Level: Strict, Resolver: resolver, Gateway: mustURL("http://127.0.0.1:" + gateway.port)})
	for name, err := range map[string]error{
		"by its name":                 dialFunction(t, byName, "gateway.example:"+gateway.port),
		"by its name in another case": dialFunction(t, byName, "GATEWAY.example.:"+gateway.port),
		"by its address":              dialFunction(t, byAddr, "127.0.0.1:"+gateway.port),
	} {
		if err != nil {
			t.Errorf("%s: %v, want nil", name, err)
		}
	}
	wantRefused(t, "another port of the gateway's name", dialFunction(t, byName, "gateway.example:"+other.port))
	wantRefused(t, "another name for the gateway", dialFunction(t, byName, "gw.example:"+gateway.port))
	wantRefused(t, "another port of the gateway's address", dialFunction(t, byAddr, "127.0.0.1:"+other.port))
	if n := gateway.connections(t); n != 3 {
		t.Errorf("the gateway saw %d connections, want 3", n)
	}
	if n := other.connections(t); n != 0 {
		t.Errorf("the other port saw %d connections, want 0", n)
	}
}

func TestTheGatewaysPortFollowsItsScheme(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]target{
		"http://gateway":             {"gateway", 80},
		"https://gateway.example/ui": {"gateway.example", 443},
		"http://gateway.:8080":       {"gateway", 8080},
		"http://[::FFFF:10.0.0.1]":   {"10.0.0.1", 80},
	} {
		if g := newGuard(t, Options{Gateway: mustURL(raw)}); g.gateway.target != want {
			t.Errorf("%s is %v, want %v", raw, g.gateway, want)
		}
	}
	_, err := New(Options{Gateway: mustURL("http://user:CANARY@10.0.0/")})
	switch {
	case err == nil:
		t.Errorf("a gateway without a usable host: error is %v, want an error", err)
	case strings.Contains(err.Error(), "CANARY"):
		t.Errorf("a gateway without a usable host: error is %v, want no \"CANARY\" in it", err)
	}
}
