// Package egress guards connections to URLs that callers choose, such as
// X-Callback-Url. CheckURL reads such a URL; DialContext connects, and decides on
// the address that is really dialled, after the DNS and just before the connect,
// so a name that resolves to one thing when it is checked and to another when it
// is called gains nothing. No decision is kept for later.
//
// In this order:
//
//	own listeners       never, whatever else is configured
//	the gateway         a function's path always, any other path never (gateway.go)
//	callback_allow      always: a name, wherever it leads, or the dialled address
//	level open          always
//	level guarded       not loopback, link-local, metadata, multicast, reserved ... (ranges.go),
//	                    no port of another protocol (ports.go)
//	level strict        nor private, carrier-grade NAT and unique local ones
//
// The package makes no HTTP request. Its user must set no Proxy on the transport,
// since the address that is dialled would be the proxy's, and must not follow
// redirects without CheckURL. It must keep the connections of DialFunction for
// URLs of which ToFunction is true: a path is part of a request and not of a dial.
// An address that others translate into ours, such as a Kubernetes Service of this
// worker, is not known to be ours; neither is a pod of the gateway behind its Service.
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
	// Gateway is the configured gateway; nil for none. Paths of its functions pass
	// at its host and port as they are written there, whatever the level. No other
	// path passes there, nor at any address of that host with that port.
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
	gateway   *gateway
	listeners func() []string
	resolver  *net.Resolver
	// localAddrs are the addresses of this machine, read again each time.
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
	gw, err := newGateway(o.Gateway, o.Resolver)
	if err != nil {
		return nil, err
	}
	return &Guard{
		level:      o.Level,
		allow:      allow,
		gateway:    gw,
		listeners:  o.Listeners,
		resolver:   o.Resolver,
		localAddrs: net.InterfaceAddrs,
	}, nil
}

// ToFunction reports whether the path of a URL is that of a function at the
// gateway: the path of the configured URL, /function/ or /async-function/, a
// function's name, and a path that resolves to nothing above it. The URL's host is
// not looked at.
func (g *Guard) ToFunction(u *url.URL) bool { return g.gateway.toFunction(u) }

// DialContext connects to address, host:port, over tcp, tcp4 or tcp6. It fits
// http.Transport. When every address of the host is refused the error wraps
// ErrRefused, and nothing has been sent to any of them. When one of them is
// allowed but does not answer the error is not a refusal. A connect takes at most
// five seconds, and ends when ctx does. It never connects to the gateway.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return g.dial(ctx, network, address, false)
}

// DialFunction is DialContext for URLs of which ToFunction is true: it connects to
// the gateway too.
func (g *Guard) DialFunction(ctx context.Context, network, address string) (net.Conn, error) {
	return g.dial(ctx, network, address, true)
}

func (g *Guard) dial(ctx context.Context, network, address string, function bool) (net.Conn, error) {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return nil, fmt.Errorf("%w: %s is not tcp", ErrRefused, strconv.Quote(network))
	}
	to, err := parseTarget(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	gateway := to == g.gateway.target
	if gateway && !function {
		return nil, errGatewayPath
	}
	named := gateway || g.allow.hasName(to.host)
	var passed atomic.Bool // addresses of one host are dialled in parallel
	d := net.Dialer{
		Timeout:  dialTimeout,
		Resolver: g.resolver,
		ControlContext: func(ctx context.Context, _, dialled string, _ syscall.RawConn) error {
			err := g.check(dialled, named)
			if err == nil && !function {
				err = g.checkGateway(ctx, dialled)
			}
			if !errors.Is(err, ErrRefused) {
				passed.Store(true)
			}
			return err
		},
	}
	conn, err := d.DialContext(ctx, network, address)
	if errors.Is(err, ErrRefused) && passed.Load() {
		return nil, fmt.Errorf("dial %s: its allowed addresses do not answer, the others are refused", strconv.Quote(address))
	}
	return conn, err
}

// checkGateway refuses an address that is the gateway's, when check has let it
// pass. It comes after the DNS has answered for the caller's name, so that the
// gateway's addresses are as new as those. An error that is not a refusal means
// that they are not known.
func (g *Guard) checkGateway(ctx context.Context, dialled string) error {
	to, err := netip.ParseAddrPort(dialled)
	if err != nil {
		return fmt.Errorf("%w: %s is not an address", ErrRefused, strconv.Quote(dialled))
	}
	is, err := g.isGateway(ctx, netip.AddrPortFrom(plain(to.Addr()), to.Port()))
	if err == nil && is {
		return errGatewayPath
	}
	return err
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
		return fmt.Errorf("%w: %s is an address of this worker", ErrRefused, to)
	}
	if named || g.allow.hasAddr(to.Addr()) {
		return nil
	}
	if what, refused := g.level.refuses(to.Addr()); refused {
		return fmt.Errorf("%w: %s is %s, which %s refuses; callback_allow can permit it", ErrRefused, to, what, g.level)
	}
	if g.level != Open && badPorts[to.Port()] {
		return fmt.Errorf("%w: %s has a port of another protocol than HTTP, which %s refuses; callback_allow can permit the host", ErrRefused, to, g.level)
	}
	return nil
}

// plain is an address without disguise: no zone, and no IPv4 inside IPv6.
func plain(a netip.Addr) netip.Addr { return a.WithZone("").Unmap() }
