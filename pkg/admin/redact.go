// File redact.go removes secrets from the text of callers.

package admin

import (
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"queue-worker/pkg/invocation"
)

// hidden stands for a value that is there and not shown.
const hidden = "[hidden]"

// shownHeader is a header as it may be shown: every name, and the values that
// are no secrets.
func shownHeader(h http.Header) http.Header {
	shown := make(http.Header, len(h))
	for name, values := range h {
		shown[name] = make([]string, len(values))
		for i, v := range values {
			shown[name][i] = shownValue(name, v)
		}
	}
	return shown
}

func shownValue(name, value string) string {
	switch {
	case invocation.IsSecret(name):
		return hidden
	case invocation.HoldsURL(name):
		return originOf(value)
	}
	return value
}

// originOf is scheme://host:port of a URL and nothing else of it; hidden when it
// is none that this program would call.
func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return hidden
	}
	port := u.Port()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return hidden
	case port == "" && u.Scheme == "http":
		port = "80"
	case port == "":
		port = "443"
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// besideSecret is what stands before a secret in the bytes of a malformed
// QueueRequest: names as above, a URL, a query.
var besideSecret = regexp.MustCompile(`(?i)` + strings.Join(invocation.SecretWords(), "|") + `|-key|proxy-|://|"querystring"\s*:\s*"[^"]`)

// mentionsSecret reports whether a secret may stand in bytes as they came.
func mentionsSecret(raw []byte) bool { return besideSecret.Match(raw) }
