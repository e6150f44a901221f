// Our own listeners: no caller may make the worker talk to itself.

package egress

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// isOwn reports whether a plain address is one that this process listens on. An
// error means that it is unknown, and the address is to be refused.
func (g *Guard) isOwn(to netip.AddrPort) (bool, error) {
	if g.listeners == nil {
		return false, nil
	}
	for _, listener := range g.listeners() {
		host, port, err := net.SplitHostPort(listener)
		if err != nil {
			return false, fmt.Errorf("listener %s is not host:port", strconv.Quote(listener))
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return false, fmt.Errorf("listener %s has no port number", strconv.Quote(listener))
		}
		if uint16(n) != to.Port() {
			continue
		}
		if own, err := g.reaches(translated(to.Addr()), host); own || err != nil {
			return own, err
		}
	}
	return false, nil
}

// reaches reports whether a connection to an address ends at a listener on host,
// when the ports are the same.
func (g *Guard) reaches(to netip.Addr, host string) (bool, error) {
	if to.IsUnspecified() {
		return true, nil // the kernel connects to this machine
	}
	on, err := netip.ParseAddr(host)
	if err == nil && !plain(on).IsUnspecified() {
		return plain(on) == to, nil
	}
	return g.isLocal(to)
}

// isLocal reports whether an address is one of this machine.
func (g *Guard) isLocal(to netip.Addr) (bool, error) {
	if to.IsLoopback() {
		return true, nil
	}
	addrs, err := g.localAddrs()
	if err != nil {
		return false, fmt.Errorf("list the addresses of this machine: %w", err)
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			return false, fmt.Errorf("local address %s is not one", strconv.Quote(a.String()))
		}
		if plain(p.Addr()) == to {
			return true, nil
		}
	}
	return false, nil
}
