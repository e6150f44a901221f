// File secret.go names the header fields whose values are not shown, nor sent where they were not meant to go.

package invocation

import (
	"net/http"
	"slices"
	"strings"
)

// secretWords mark header names whose values are secret, wherever in the name
// they stand. Rather too many are hidden than one too few.
var secretWords = []string{
	"auth", "cookie", "token", "secret", "passw", "credential", "signature", "session", "apikey", "jwt",
}

// headersWithURL have URLs as values, whose path, query and userinfo can hold secrets.
var headersWithURL = []string{HeaderCallbackURL, "Referer", "Location", "Content-Location", "X-Original-Url"}

// SecretWords lists the words that mark the name of a secret field.
func SecretWords() []string { return slices.Clone(secretWords) }

// IsSecret reports whether a header's name says that its values are secret.
func IsSecret(name string) bool {
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

// HoldsURL reports whether the values of a header are URLs, of which parts can be secret.
func HoldsURL(name string) bool {
	return slices.Contains(headersWithURL, http.CanonicalHeaderKey(name))
}
