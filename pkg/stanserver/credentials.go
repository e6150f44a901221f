// File credentials.go compares what a publisher names with what it has to name.

package stanserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"
)

// credentials are a token, or user:password. Empty: publishers need none.
type credentials string

// accept reports whether a publisher named the credentials.
func (c credentials) accept(user, password, token string) bool {
	if c == "" {
		return true
	}
	named := token
	if strings.Contains(string(c), ":") {
		named = user + ":" + password
	}
	got, want := sha256.Sum256([]byte(named)), sha256.Sum256([]byte(c))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}
