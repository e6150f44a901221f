package invocation

import (
	"net"
	"net/url"
	"strings"
)

// MaxName bounds the length of a function's or queue's name in bytes. The
// longest name that Kubernetes can hold, <63>.<63>, is well below.
const MaxName = 256

// CallbackLanePrefix begins the lane name of a callback.
const CallbackLanePrefix = "url:"

// ValidName reports whether s can be a function's or a queue's name: what the
// gateway's own routes accept, beginning with a letter or digit.
func ValidName(s string) bool {
	if s == "" || len(s) > MaxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '-' || c == '_' || c == '.'):
		default:
			return false
		}
	}
	return true
}

// Names knows the default namespace, so that "figlet" and "figlet.openfaas-fn"
// are one function everywhere.
type Names struct {
	// DefaultNamespace is where a function without a namespace lives.
	DefaultNamespace string
}

// Canonical is the short form of a function's name: the default namespace is
// cut off, any other stays.
func (n Names) Canonical(function string) string {
	if short, ok := strings.CutSuffix(function, "."+n.DefaultNamespace); ok && short != "" && n.DefaultNamespace != "" {
		return short
	}
	return function
}

// Qualified is the long form, name.namespace, which metrics use because the
// gateway's metrics do.
func (n Names) Qualified(function string) string {
	if strings.Contains(function, ".") || n.DefaultNamespace == "" {
		return function
	}
	return function + "." + n.DefaultNamespace
}

// CallbackLane names the lane of a callback to u: its host and port.
func CallbackLane(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	return CallbackLanePrefix + net.JoinHostPort(host, port)
}

// IsCallbackLane reports whether a lane's name is one of a callback host.
func IsCallbackLane(name string) bool { return strings.HasPrefix(name, CallbackLanePrefix) }
