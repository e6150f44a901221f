// Reading URLs that callers wrote. No error here repeats anything of the URL,
// because it can hold credentials.

package egress

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// MaxURL is the longest URL that CheckURL takes, in bytes. Proxies and servers on
// the way often take no more.
const MaxURL = 2048

// maxHost is the longest host name of the DNS.
const maxHost = 253

// What can be wrong with a URL. The texts are constant.
var (
	errTooLong  = fmt.Errorf("%w: the URL is longer than %d bytes", ErrRefused, MaxURL)
	errControl  = fmt.Errorf("%w: the URL has a control character", ErrRefused)
	errNotURL   = fmt.Errorf("%w: it is not a URL", ErrRefused)
	errScheme   = fmt.Errorf("%w: the URL's scheme is neither http nor https", ErrRefused)
	errNoHost   = fmt.Errorf("%w: the URL has no host", ErrRefused)
	errBadHost  = fmt.Errorf("%w: the URL's host is neither a host name nor an IP address", ErrRefused)
	errBadPort  = fmt.Errorf("%w: the URL's port is not from 1 to 65535", ErrRefused)
	errBadQuery = fmt.Errorf("%w: the URL's query has a space", ErrRefused)
)

// CheckURL reads a URL that a caller wrote and checks its form: http or https, a
// host that is a name or an IP address in its usual form, a port from 1 to 65535
// when there is one, no control characters, at most MaxURL bytes. It looks nothing
// up; where the host leads is for DialContext to judge. At the configured host of
// the gateway only the paths of functions pass. A host name with letters
// beyond ASCII comes back in its DNS form, so that what was checked is what is
// dialled. Credentials stay in the URL. Every error wraps ErrRefused and repeats
// nothing of the URL.
func (g *Guard) CheckURL(raw string) (*url.URL, error) {
	if len(raw) > MaxURL {
		return nil, errTooLong
	}
	if hasControl(raw) {
		return nil, errControl
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errNotURL
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, errScheme
	}
	if u.Hostname() == "" {
		return nil, errNoHost
	}
	host, err := normalHost(u.Hostname())
	if err != nil {
		return nil, errBadHost
	}
	port := u.Port()
	if port != "" && !validPort(port) {
		return nil, errBadPort
	}
	if strings.Contains(u.RawQuery, " ") { // it would end the request line early
		return nil, errBadQuery
	}
	if !isASCII(u.Host) {
		u.Host = host // never IPv6: that is written in ASCII
		if port != "" {
			u.Host = net.JoinHostPort(host, port)
		}
	}
	if to, err := targetOf(u); err != nil || to == g.gateway.target && !g.ToFunction(u) {
		return nil, errGatewayPath
	}
	return u, nil
}

// targetOf is where a URL leads, the scheme's port included.
func targetOf(u *url.URL) (target, error) {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	return parseTarget(net.JoinHostPort(u.Hostname(), port))
}

// parseTarget reads host:port as a dialer gets it.
func parseTarget(address string) (target, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return target{}, fmt.Errorf("%s is not host:port", strconv.Quote(address))
	}
	if !validPort(port) {
		return target{}, fmt.Errorf("%s has no port from 1 to 65535", strconv.Quote(address))
	}
	normal, err := normalHost(host)
	if err != nil {
		return target{}, fmt.Errorf("%s: %w", strconv.Quote(address), err)
	}
	n, _ := strconv.ParseUint(port, 10, 16) // checked by validPort
	return target{normal, uint16(n)}, nil
}

// validPort reports whether a port is nothing but digits, from 1 to 65535.
func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

var errNotHost = errors.New("it is neither a host name nor an IP address")

// normalHost is the form in which hosts are compared: the shortest form of an IP
// address, or a name in the letters of the DNS, lower case, without a dot at the
// end. Numbers that some resolvers take for an address (127.1, 0x7f000001,
// 2130706433) are neither: no name of the DNS ends in a number.
func normalHost(host string) (string, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" { // means nothing on any other machine
			return "", errNotHost
		}
		return plain(a).String(), nil
	}
	if !utf8.ValidString(host) {
		return "", errNotHost
	}
	if !isASCII(host) {
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return "", errNotHost
		}
		if a, err := netip.ParseAddr(ascii); err == nil { // digits of another script
			return plain(a).String(), nil
		}
		host = ascii
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !validName(host) {
		return "", errNotHost
	}
	return host, nil
}

// validName reports whether s can be a name of the DNS or of a local resolver.
func validName(s string) bool {
	if s == "" || len(s) > maxHost {
		return false
	}
	label := ""
	for label = range strings.SplitSeq(s, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return !isNumber(label)
}

// isNumber reports whether the last label of a name makes it an IPv4 address to
// some parser: digits, or hexadecimal digits after 0x.
func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// hasControl reports whether s has an ASCII control character.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// isASCII reports whether s is ASCII only.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
