// Our own listeners are out of reach, whatever else is configured.

package egress

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
)

func listeners(addrs ...string) func() []string {
	return func() []string { return addrs }
}

func TestOurOwnListenersAreNeverDialled(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"127.0.0.1:", "0.0.0.0:", "[::]:", ":", "localhost:", "[::ffff:127.0.0.1]:"} {
		t.Run(listen, func(t *testing.T) {
			t.Parallel()
			c := newCanary(t, "127.0.0.1:0")
			g := newGuard(t, Options{
				Level:     Open,
				Allow:     []string{"127.0.0.0/8", "::/0", "0.0.0.0/0", "hooks.example", "localhost"},
				Gateway:   mustURL("http://127.0.0.1:" + c.port),
				Listeners: listeners("10.9.8.7:1", listen+c.port),
				Resolver:  newResolver(t, everything("127.0.0.1")),
			})
			for _, host := range []string{"127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "localhost", "LOCALHOST.", "hooks.example"} {
				wantRefused(t, host, call(t, g, "http://"+host+":"+c.port+"/"))
			}
			if n := c.connections(t); n != 0 {
				t.Errorf("we called ourselves %d times, want 0", n)
			}
		})
	}
}

func TestIsOwn(t *testing.T) {
	t.Parallel()
	interfaces := func() ([]net.Addr, error) {
		return []net.Addr{
			&net.IPNet{IP: net.IPv4(127, 0, 0, 1), Mask: net.CIDRMask(8, 32)},
			&net.IPNet{IP: net.IPv4(10, 1, 2, 3), Mask: net.CIDRMask(24, 32)},
			&net.IPNet{IP: net.ParseIP("fd12::3"), Mask: net.CIDRMask(64, 128)},
			&net.IPNet{IP: net.ParseIP("fe80::3"), Mask: net.CIDRMask(64, 128)},
		}, nil
	}
	tests := []struct {
		name, listener, to string
		want               bool
	}{
		{"the very address", "10.1.2.3:8081", "10.1.2.3:8081", true},
		{"another port", "10.1.2.3:8081", "10.1.2.3:8082", false},
		{"another address of this machine", "10.1.2.3:8081", "127.0.0.1:8081", false},
		{"every address: one of an interface", ":8081", "10.1.2.3:8081", true},
		{"every address: one of IPv6", "[::]:8081", "[fd12::3]:8081", true},
		{"every address: link-local", "[::]:8081", "[fe80::3]:8081", true},
		{"every address: any loopback one", "0.0.0.0:8081", "127.9.9.9:8081", true},
		{"every address: loopback of IPv6", "0.0.0.0:8081", "[::1]:8081", true},
		{"every address: a neighbour's", ":8081", "10.1.2.4:8081", false},
		{"every address: another port", ":8081", "10.1.2.3:80", false},
		{"a name stands for every address", "localhost:8081", "10.1.2.3:8081", true},
		{"the unspecified address leads here", "127.0.0.1:8081", "0.0.0.0:8081", true},
		{"the unspecified address of IPv6 leads here", "127.0.0.1:8081", "[::]:8081", true},
		{"a zone does not hide it", "[fe80::3%eth0]:8081", "[fe80::3]:8081", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuard(t, Options{Listeners: listeners(tt.listener)})
			g.localAddrs = interfaces
			if got, err := g.isOwn(netip.MustParseAddrPort(tt.to)); err != nil || got != tt.want {
				t.Errorf("own is %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestTheAddressesOfThisMachineAreKnown(t *testing.T) {
	t.Parallel()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	g := newGuard(t, Options{Listeners: listeners(":8081")})
	for _, a := range addrs {
		ip := plain(netip.MustParsePrefix(a.String()).Addr())
		switch own, err := g.isOwn(netip.AddrPortFrom(ip, 8081)); {
		case !own:
			t.Errorf("%s is not known as ours: %v: own = false, want true", ip, err)
		case err != nil:
			t.Errorf("%s is not known as ours: %v, want nil", ip, err)
		}
	}
}

func TestWhatCannotBeToldIsRefused(t *testing.T) {
	t.Parallel()
	const to = "93.184.216.34:8081"
	for _, listener := range []string{"", "8081", "127.0.0.1", ":http", "127.0.0.1:99999", "::1:8081"} {
		g := newGuard(t, Options{Level: Open, Listeners: listeners(listener)})
		wantRefused(t, "listener "+listener, g.check(to, true))
	}
	g := newGuard(t, Options{Level: Open, Listeners: listeners(":8081")})
	g.localAddrs = func() ([]net.Addr, error) { return nil, errors.New("no netlink") }
	wantRefused(t, "without a list of interfaces", g.check(to, true))
	g.localAddrs = func() ([]net.Addr, error) { return []net.Addr{&net.UnixAddr{Name: "x"}}, nil }
	wantRefused(t, "with a list that is none", g.check(to, true))
}

func TestListenersAreLearnedAfterNew(t *testing.T) {
	t.Parallel()
	c := newCanary(t, "127.0.0.1:0")
	var listening atomic.Bool
	g := newGuard(t, Options{Level: Open, Listeners: func() []string {
		if listening.Load() {
			return []string{c.addr}
		}
		return nil
	}})
	if err := dial(t, g, c.addr); err != nil {
		t.Errorf("before it is ours: %v, want nil", err)
	}
	listening.Store(true)
	wantRefused(t, "once it is ours", dial(t, g, c.addr))
	if n := c.connections(t); n != 1 {
		t.Errorf("it saw %d connections, want 1", n)
	}
}
