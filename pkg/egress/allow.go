// callback_allow: the hosts and addresses that win over the level.

package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// allowList is callback_allow, parsed. The zero value allows nothing.
type allowList struct {
	names    map[string]bool
	prefixes []netip.Prefix
}

// parseAllow reads all entries and reports all bad ones at once.
func parseAllow(entries []string) (allowList, error) {
	l := allowList{names: map[string]bool{}}
	var problems []error
	for _, entry := range entries {
		entry = strings.TrimSpace(entry)
		if entry != "" && !l.add(entry) {
			problems = append(problems, fmt.Errorf("callback_allow: %s is not a host name, an IP address or a CIDR range; ports and wildcards are not supported", strconv.Quote(entry)))
		}
	}
	return l, errors.Join(problems...)
}

// add takes one entry and reports whether it is one.
func (l *allowList) add(entry string) bool {
	if p, err := netip.ParsePrefix(entry); err == nil {
		l.prefixes = append(l.prefixes, plainPrefix(p))
		return true
	}
	if inner, ok := strings.CutPrefix(entry, "["); ok { // as a URL writes IPv6
		if entry, ok = strings.CutSuffix(inner, "]"); !ok {
			return false
		}
	}
	host, err := normalHost(entry)
	if err != nil {
		return false
	}
	if a, err := netip.ParseAddr(host); err == nil {
		l.prefixes = append(l.prefixes, netip.PrefixFrom(a, a.BitLen()))
		return true
	}
	l.names[host] = true
	return true
}

// plainPrefix brings a range of IPv4 inside IPv6 into the form of IPv4, since
// that is the form in which addresses are compared.
func plainPrefix(p netip.Prefix) netip.Prefix {
	const mapped = 96 // bits before the IPv4 address
	if p.Addr().Is4In6() && p.Bits() >= mapped {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p
}

// hasName reports whether a host, in normal form, is allowed by its name.
func (l allowList) hasName(host string) bool { return l.names[host] }

// hasAddr reports whether a plain address is allowed.
func (l allowList) hasAddr(a netip.Addr) bool {
	for _, p := range l.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
