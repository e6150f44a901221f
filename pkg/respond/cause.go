// File cause.go cuts errors for clients that may not see what is stored.

package respond

import "strings"

// Lines are the errors of a joined one.
func Lines(err error) []string { return strings.Split(err.Error(), "\n") }

// WithoutCauses are the errors of a joined one, each cut after its first parts of
// text before a colon. Those are the worker's own words. What is behind them comes
// from libraries and the system, and names files and addresses.
func WithoutCauses(err error, parts int) []string {
	all := Lines(err)
	for i, line := range all {
		if words := strings.Split(line, ": "); len(words) > parts {
			all[i] = strings.Join(words[:parts], ": ")
		}
	}
	return all
}
