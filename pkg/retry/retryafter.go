// The Retry-After header: how long an answer asks to be left alone.

package retry

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxSeconds is the longest number of seconds that a time.Duration holds.
const maxSeconds = math.MaxInt64 / int64(time.Second)

// ParseRetryAfter reads a Retry-After header (RFC 9110, section 10.2.3): a number
// of seconds, or an HTTP date that is compared with now. It is never negative: a
// date in the past is 0. Numbers of any size count, saturated at the longest
// Duration. ok is false for everything else, signs and fractions included, and
// the header is to be ignored then.
func ParseRetryAfter(value string, now time.Time) (wait time.Duration, ok bool) {
	value = strings.Trim(value, " \t")
	if value == "" {
		return 0, false
	}
	if isDigits(value) {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > maxSeconds {
			return math.MaxInt64, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return max(at.Sub(now), 0), true // Sub saturates
}

// isDigits reports whether s is nothing but ASCII digits.
func isDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}
