// File gateway.go keeps callbacks away from all of the gateway but its functions.

package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"queue-worker/pkg/invocation"
)

const (
	// lookupTimeout bounds a lookup of the gateway's host, so that a slow DNS
	// leaves time for the connect.
	lookupTimeout = 2 * time.Second
	// addressMemory is how long an address counts as the gateway's after the DNS
	// named it last: some servers name only a part of the addresses each time.
	addressMemory = 10 * time.Minute
	// maxAddresses bounds that memory.
	maxAddresses = 1024
)

// functionRoutes are the paths of the gateway below which callbacks may go.
var functionRoutes = []string{"/function/", "/async-function/"}

// ErrGatewayUnknown is wrapped by the error of a dial that is neither refused nor
// made, because no address of the gateway is known to compare with.
var ErrGatewayUnknown = errors.New("the gateway's address is not known")

var errGatewayPath = fmt.Errorf("%w: the URL leads to the gateway, which takes callbacks below /function/<name> and /async-function/<name> only", ErrRefused)

// gateway is the configured gateway: where it is, and which addresses it has.
// The zero value stands for no gateway.
type gateway struct {
	target
	base     string // path of the configured URL, encoded, without a slash at the end
	lookup   string // host as it is looked up; empty for an IP address
	resolver *net.Resolver

	mu   sync.Mutex
	seen map[netip.Addr]time.Time // plain addresses; when the DNS named them last
}

func newGateway(u *url.URL, r *net.Resolver) (*gateway, error) {
	if u == nil {
		return &gateway{}, nil
	}
	to, err := targetOf(u)
	if err != nil {
		return nil, fmt.Errorf("gateway %s: %w", u.Redacted(), err)
	}
	g := &gateway{
		target: to, base: strings.TrimRight(u.EscapedPath(), "/"), lookup: to.host,
		resolver: r, seen: map[netip.Addr]time.Time{},
	}
	if a, err := netip.ParseAddr(to.host); err == nil {
		g.lookup, g.seen[a] = "", time.Now()
	} else if strings.HasSuffix(u.Hostname(), ".") {
		g.lookup += "." // without the search domains, as it is dialled
	}
	return g, nil
}

// toFunction reports whether a URL's path, as it is sent, is that of a function.
func (g *gateway) toFunction(u *url.URL) bool {
	below, ok := strings.CutPrefix(u.EscapedPath(), g.base)
	if !ok {
		return false
	}
	for _, route := range functionRoutes {
		if rest, ok := strings.CutPrefix(below, route); ok {
			name, path, _ := strings.Cut(rest, "/")
			_, _, err := invocation.SafePath("/" + path)
			return err == nil && invocation.ValidName(name)
		}
	}
	return false
}

// addresses returns the gateway's addresses: those that the DNS names now and
// those that it named a short time ago. While the DNS fails, the addresses that
// were known last count. It returns an error if none was ever known.
func (g *gateway) addresses(ctx context.Context) ([]netip.Addr, error) {
	var found []netip.Addr
	var err error
	if g.lookup != "" {
		found, err = g.resolve(ctx)
	}
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(found) > 0 {
		g.remember(found, now)
	}
	if len(g.seen) == 0 {
		return nil, fmt.Errorf("%w: %w", ErrGatewayUnknown, err)
	}
	known := make([]netip.Addr, 0, len(g.seen))
	for a := range g.seen {
		known = append(known, a)
	}
	return known, nil
}

func (g *gateway) resolve(ctx context.Context) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	r := g.resolver
	if r == nil {
		r = net.DefaultResolver
	}
	return r.LookupNetIP(ctx, "ip", g.lookup)
}

// remember notes what the DNS named, and forgets what it has not named for long.
// g.mu is held.
func (g *gateway) remember(found []netip.Addr, now time.Time) {
	for a, at := range g.seen {
		if now.Sub(at) > addressMemory || len(g.seen) > maxAddresses {
			delete(g.seen, a)
		}
	}
	for _, a := range found {
		g.seen[plain(a)] = now
	}
}

// isGateway reports whether a connection to an address ends at the gateway. It
// asks the DNS when the ports are the same. The address must be plain.
func (g *Guard) isGateway(ctx context.Context, to netip.AddrPort) (bool, error) {
	if to.Port() != g.gateway.port {
		return false, nil
	}
	known, err := g.gateway.addresses(ctx)
	if err != nil {
		return false, err
	}
	dialled := translated(to.Addr())
	for _, a := range known {
		if a == dialled {
			return true, nil
		}
	}
	return g.bothHere(dialled, known)
}

// bothHere reports whether an address and one of the others are this machine's: a
// gateway on this machine listens on each of its addresses, as a rule.
func (g *Guard) bothHere(a netip.Addr, others []netip.Addr) (bool, error) {
	here, err := g.isHere(a)
	if err != nil || !here {
		return false, err
	}
	for _, other := range others {
		if here, err := g.isHere(other); err != nil || here {
			return here, err
		}
	}
	return false, nil
}

// isHere reports whether a connection to an address ends on this machine. The
// error wraps ErrRefused.
func (g *Guard) isHere(a netip.Addr) (bool, error) {
	if a.IsUnspecified() {
		return true, nil // the kernel connects to this machine
	}
	here, err := g.isLocal(a)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return here, nil
}

// translated is the IPv4 address that NAT64 makes of an address of its range, or
// the address itself.
func translated(a netip.Addr) netip.Addr {
	if !nat64.Contains(a) {
		return a
	}
	b := a.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

var nat64 = netip.MustParsePrefix("64:ff9b::/96")
