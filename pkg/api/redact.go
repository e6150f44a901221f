// File redact.go removes secrets from the text of callers.

package api

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

// headersWithURL have URLs as values, whose path, query and userinfo can hold secrets.
var headersWithURL = map[string]bool{
	invocation.HeaderCallbackURL: true, "Referer": true, "Location": true, "Content-Location": true, "X-Original-Url": true,
}

// secretWords mark header names whose values are not shown, wherever in the name
// they stand. Rather too many are hidden than one too few.
var secretWords = []string{
	"auth", "cookie", "token", "secret", "passw", "credential", "signature", "session", "apikey", "jwt",
}

// isSecret reports whether a header's name says that its values are secret.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	if name == "idempotency-key" {
		return false // it ends like X-Api-Key, and dead letters are looked up by it
	}
	for _, word := range secretWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return strings.HasPrefix(name, "proxy-") || name == "key" || strings.HasSuffix(name, "-key")
}

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
	case isSecret(name):
		return hidden
	case headersWithURL[http.CanonicalHeaderKey(name)]:
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
var besideSecret = regexp.MustCompile(`(?i)` + strings.Join(secretWords, "|") + `|-key|proxy-|://|"querystring"\s*:\s*"[^"]`)

// mentionsSecret reports whether a secret may stand in bytes as they came.
func mentionsSecret(raw []byte) bool { return besideSecret.Match(raw) }
