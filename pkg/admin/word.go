// File word.go reads the values of filters, and times.

package admin

import (
	"errors"
	"strings"
	"time"

	"queue-worker/pkg/duration"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// splitTexts takes lists with commas apart.
func splitTexts(texts wire.Texts) []string {
	var all []string
	for _, s := range texts {
		all = append(all, strings.Split(s, ",")...)
	}
	return all
}

// problemOfValue makes an error of a value of pkg/wire a problem.
func problemOfValue(err error) error {
	if v, ok := errors.AsType[*wire.ValueError](err); ok {
		return respond.Refuse(v.Text, v.Hint)
	}
	return err
}

// orElse is the first error.
func orElse(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

var errNoTime = errors.New("not a time")

// longestAge is beyond everything that was ever stored.
const longestAge = 100 * 365 * 24 * time.Hour

// parseWhen reads a time, or an age before now.
func parseWhen(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	age, err := parseAge(s)
	if err != nil {
		return time.Time{}, err
	}
	return now.Add(-age), nil
}

// parseAge reads an age, none below 0.
func parseAge(s string) (time.Duration, error) {
	d, err := duration.ParseAge(s)
	if err != nil || d < 0 || d > longestAge || strings.HasPrefix(s, "+") {
		return 0, errNoTime
	}
	return d, nil
}
