// Package duration reads and writes durations as users write them: in settings, flags,
// annotations, header fields and query parameters.
//
//	90s  5m  1h30m   as Go has them
//	7d   1d12h       days of 24 hours first
//	90               seconds, where Parse reads it
//
// It knows no bounds: the caller has those of its setting or field.
package duration

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

var (
	errForm    = errors.New("expected a duration such as 90s, 5m, 1h30m or 7d, or a number of seconds")
	errAge     = errors.New("expected a duration with a unit, such as 90s, 5m, 1h30m or 7d")
	errTooLong = errors.New("longer than 292 years")
)

// maxSeconds is the longest whole number of seconds that a time.Duration holds.
const maxSeconds = math.MaxInt64 / int64(time.Second)

// Parse reads a duration. A bare whole number means seconds, as in OpenFaaS.
func Parse(s string) (time.Duration, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && (n > maxSeconds || n < -maxSeconds):
		return 0, errTooLong
	case err == nil:
		return time.Duration(n) * time.Second, nil
	}
	d, err := ParseAge(s)
	if errors.Is(err, errAge) {
		err = errForm
	}
	return d, err
}

// ParseAge reads a duration as Parse does, but for bare numbers, which it refuses. An age
// selects dead letters to drop: "7" may mean days, and "2026" a year.
func ParseAge(s string) (time.Duration, error) {
	days, rest, found := strings.Cut(s, "d")
	if !found {
		return parseGo(s)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, errAge
	}
	age := time.Duration(n) * 24 * time.Hour // #nosec G115 -- 16 bits
	if rest == "" {
		return age, nil
	}
	if rest[0] == '-' || rest[0] == '+' {
		return 0, errAge
	}
	d, err := parseGo(rest)
	if err != nil {
		return 0, err
	}
	if d > math.MaxInt64-age {
		return 0, errTooLong
	}
	return age + d, nil
}

func parseGo(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errAge
	}
	return d, nil
}

// Format writes a duration without the zeros of d.String: 2m, not 2m0s.
func Format(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
