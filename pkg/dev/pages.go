// File pages.go keeps pages in a browser away from servers that have no
// authentication.

package dev

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// withoutPages is next for all but pages of other sites: those may make no
// request that is not safe, under any name. A page whose own name was made to lead
// to loopback seems to be of the same origin, which its Host shows.
func withoutPages(next http.Handler) http.Handler {
	own := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" && !isLoopbackHost(r.Host) {
			http.Error(w, "requests of pages of other sites are refused", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
	return http.NewCrossOriginProtection().Handler(own)
}

// isLoopbackHost reports whether a Host header names the loopback interface.
func isLoopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || err == nil && a.Unmap().IsLoopback()
}
