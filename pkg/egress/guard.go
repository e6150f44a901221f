// Package egress guards connections to URLs that callers choose, such as
// X-Callback-Url. CheckURL reads such a URL; DialContext connects, and decides on
// the address that is really dialled, after the DNS and just before the connect,
// so a name that resolves to one thing when it is checked and to another when it
// is called gains nothing. No decision is kept for later.
//
// In this order:
//
//	own listeners       never, whatever else is configured
//	the gateway         always
//	callback_allow      always: a name, wherever it leads, or the dialled address
//	level open          always
//	level guarded       not loopback, link-local, metadata, multicast, reserved ... (ranges.go)
//	level strict        nor private, carrier-grade NAT and unique local ones
//
// The package makes no HTTP request. Its user must set no Proxy on the transport,
// since the address that is dialled would be the proxy's, and must not follow
// redirects without CheckURL. An address that others translate into ours, such as
// a Kubernetes Service of this worker, is not known to be ours.
package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrRefused is wrapped by every error that says no. Retrying does not help.
var ErrRefused = errors.New("refused by callback_policy")

// dialTimeout bounds one connect, the DNS included, so that an address that
// swallows packets leaves time for the rest of callback_timeout.
const dialTimeout = 5 * time.Second

// Options are what a Guard goes by.
type Options struct {
	// Level is callback_policy. The zero value is Guarded.
	Level Level
	// Allow is callback_allow: host names, IP addresses and CIDR ranges. Empty
	// ones are passed over.
	Allow []string
	// Gateway is the configured gateway; nil for none. Its host and port, as they
	// are written there, always pass.
	Gateway *url.URL
	// Listeners gives the addresses that this process listens on, host:port as
	// net.Addr.String writes them; nil for none. A host that is empty,
	// unspecified or a name stands for every local address. It is asked on every
	// dial, by any number of goroutines, so it may learn them after New.
	Listeners func() []string
	// Resolver looks names up; nil for the system's.
	Resolver *net.Resolver
}

// Guard decides where connections may go. It may be used by any number of
// goroutines.
type Guard struct {
	level     Level
	allow     allowList
	gateway   target
	listeners func() []string
	resolver  *net.Resolver
	// localAddrs are the addresses of this machine, asked anew each time.
	localAddrs func() ([]net.Addr, error)
}

// target is a place as a caller wrote it, in comparable form.
type target struct {
	host string
	port uint16
}

// New checks the options and opens nothing. The error names every entry of Allow
// that is neither a host name, an IP address nor a CIDR range.
func New(o Options) (*Guard, error) {
	allow, err := parseAllow(o.Allow)
	if err != nil {
		return nil, err
	}
	g := &Guard{
		level:      o.Level,
		allow:      allow,
		listeners:  o.Listeners,
		resolver:   o.Resolver,
		localAddrs: net.InterfaceAddrs,
	}
	if o.Gateway == nil {
		return g, nil
	}
	if g.gateway, err = targetOf(o.Gateway); err != nil {
		return nil, fmt.Errorf("gateway %s: %w", o.Gateway.Redacted(), err)
	}
	return g, nil
}

// DialContext connects to address, host:port, over tcp, tcp4 or tcp6. It fits
// http.Transport. When every address of the host is refused the error wraps
// ErrRefused, and nothing has been sent to any of them. When one of them is
// allowed but does not answer the error is not a refusal. A connect takes at most
// five seconds, and ends when ctx does.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return nil, fmt.Errorf("%w: %s is not tcp", ErrRefused, strconv.Quote(network))
	}
	to, err := parseTarget(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	named := to == g.gateway || g.allow.hasName(to.host)
	var passed atomic.Bool // addresses of one host are dialled in parallel
	d := net.Dialer{
		Timeout:  dialTimeout,
		Resolver: g.resolver,
		ControlContext: func(_ context.Context, _, dialled string, _ syscall.RawConn) error {
			if err := g.check(dialled, named); err != nil {
				return err
			}
			passed.Store(true)
			return nil
		},
	}
	conn, err := d.DialContext(ctx, network, address)
	if errors.Is(err, ErrRefused) && passed.Load() {
		return nil, fmt.Errorf("dial %s: its allowed addresses do not answer, the others are refused", strconv.Quote(address))
	}
	return conn, err
}

// check decides on an address that is about to be dialled, ip:port. Named says
// that the caller wrote a host that is allowed wherever it leads. What does not
// parse is refused.
func (g *Guard) check(dialled string, named bool) error {
	to, err := netip.ParseAddrPort(dialled)
	if err != nil {
		return fmt.Errorf("%w: %s is not an address", ErrRefused, strconv.Quote(dialled))
	}
	to = netip.AddrPortFrom(plain(to.Addr()), to.Port())
	own, err := g.isOwn(to)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrRefused, to, err)
	}
	if own {
		return fmt.Errorf("%w: %s is where this worker itself listens", ErrRefused, to)
	}
	if named || g.allow.hasAddr(to.Addr()) {
		return nil
	}
	if what, refused := g.level.refuses(to.Addr()); refused {
		return fmt.Errorf("%w: %s is %s, which %s refuses; callback_allow can permit it", ErrRefused, to, what, g.level)
	}
	return nil
}

// plain is an address without disguise: no zone, and no IPv4 inside IPv6.
func plain(a netip.Addr) netip.Addr { return a.WithZone("").Unmap() }
