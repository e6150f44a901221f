// This file holds the forms of texts: hosts, addresses, names, lists of codes.

package config

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/retry"
)

// isAddress accepts a host; an IPv6 address also in brackets, because older
// workers put a colon and the port behind what was written.
func isAddress(s string) bool { return isHost(unbracket(s)) }

// unbracket takes the brackets from around an IPv6 address.
func unbracket(s string) string {
	inner, ok := strings.CutPrefix(s, "[")
	if inner, end := strings.CutSuffix(inner, "]"); ok && end && strings.Contains(inner, ":") {
		return inner
	}
	return s
}

// maxHost is the length of the longest name that DNS knows.
const maxHost = 253

// hostLetters are those of a host name. The underscore is for names in compose
// files.
const hostLetters = "abcdefghijklmnopqrstuvwxyz0123456789-_"

// isHost accepts a host name or an IP address without a zone, which means
// nothing on another machine. A name whose last part is a number is neither: it
// is a mistyped address, or one that only some resolvers take (127.1).
func isHost(s string) bool {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Zone() == ""
	}
	if len(s) > maxHost {
		return false
	}
	last := ""
	for last = range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if last == "" || strings.Trim(strings.ToLower(last), hostLetters) != "" {
			return false
		}
	}
	return !isNumber(strings.ToLower(last))
}

// isNumber accepts digits, and hexadecimal digits after 0x.
func isNumber(s string) bool {
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(s, "0123456789") == ""
}

// isHostOrRange accepts an entry of callback_allow.
func isHostOrRange(s string) bool {
	_, err := netip.ParsePrefix(s)
	return err == nil || isAddress(s)
}

// isPort accepts a port number that is not below least.
func isPort(s string, least uint64) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n >= least
}

// isListenAddress accepts host:port and :port; port 0 takes any free one.
func isListenAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && isPort(port, 0) && (host == "" || isHost(host))
}

// isChannel accepts names that the gateway can publish to and NATS Streaming
// can hold: no empty part between dots.
func isChannel(s string) bool { return invocation.ValidName(s) && isSubject(s) }

// isNamespace accepts a name without dots, which end a function's name.
func isNamespace(s string) bool { return invocation.ValidName(s) && !strings.Contains(s, ".") }

// isSubject accepts what NATS takes as a part of a subject.
func isSubject(s string) bool {
	bad := func(r rune) bool { return r <= ' ' || r == 0x7f || r == '*' || r == '>' }
	return s != "" && !strings.ContainsFunc(s, bad) && !slices.Contains(strings.Split(s, "."), "")
}

// areCodes accepts what the retry policy reads.
func areCodes(s string) bool {
	_, err := retry.ParseCodes(s)
	return err == nil
}

// isPath accepts what an operating system takes as a path. Only shells replace a ~ by the home folder:
// here it would be the name of a folder.
func isPath(s string) bool {
	return !strings.ContainsRune(s, 0) && s != "~" && !strings.HasPrefix(s, "~/")
}
