// File value.go parses values and has their bounds.

package policy

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"queue-worker/pkg/duration"
	"queue-worker/pkg/retry"
)

// Bounds of what functions and messages may ask for.
const (
	// maxAttempts bounds the retries. Retrying without end is not for function
	// authors to switch on.
	maxAttempts = 1_000_000_000
	// maxWait bounds waits and ages: a longer one is a slip of the pen, and a due
	// time must stay a date that the store can write.
	maxWait = 365 * 24 * time.Hour
	// minAge is the shortest age with which anything can be called at all.
	minAge = time.Millisecond
	// minTimeout and maxTimeout are those of upstream_timeout.
	minTimeout = time.Millisecond
	maxTimeout = 30 * 24 * time.Hour
	// maxInflight is that of the setting of this name.
	maxInflight = 10_000
	// minRate is low enough for every use, and high enough that a mistyped rate
	// need not wait for hours until the next call notices that it was corrected.
	minRate, maxRate = 0.01, 100_000
	// minPriority and maxPriority bound how many turns a lane may have more than
	// another.
	minPriority, maxPriority = 1, 10
)

const (
	formMaxAge  = "a duration such as 90s or 1h, or a number of seconds, from 1ms to 8760h"
	formTimeout = "a duration such as 30s or 5m, or a number of seconds, from 1ms to 720h"
)

// reader reads annotations or header fields and collects what is wrong with them.
type reader struct {
	get      func(key string) string
	problems []Problem
}

// read parses one value into v. It reports whether there was one that could be used.
func read[T any](r *reader, f Form, parse func(string) (T, error), v *T) bool {
	value := strings.TrimSpace(r.get(f.Key))
	if value == "" {
		return false
	}
	parsed, err := parse(value)
	if err != nil {
		r.report(f.Key, f.Expected)
		return false
	}
	*v = parsed
	return true
}

func (r *reader) report(key, expected string) {
	r.problems = append(r.problems, Problem{Key: key, Value: quote(r.get(key)), Expected: expected})
}

// strangers reports keys that mean nothing, with our prefix or close to one of ours. It repeats no value.
func (r *reader) strangers(annotations map[string]string) {
	var found []string
	for key := range annotations {
		if meant(key) != "" || strings.HasPrefix(key, ourPrefix) && !slices.ContainsFunc(forms[:], func(f Form) bool { return f.Key == key }) {
			found = append(found, key)
		}
	}
	slices.Sort(found)
	for _, key := range found[:min(len(found), len(forms))] {
		expected := "no annotation of this name"
		if m := meant(key); m != "" {
			expected += ", did you mean " + m + "?"
		}
		r.problems = append(r.problems, Problem{Key: cut(key), Expected: expected})
	}
}

// parseAttempts reads a number of retries.
func parseAttempts(s string) (int, error) { return parseInt(s, 0, maxAttempts) }

func parseInflight(s string) (int, error) { return parseInt(s, 1, maxInflight) }

func parsePriority(s string) (int, error) { return parseInt(s, minPriority, maxPriority) }

func parseBool(s string) (bool, error) {
	if s != "true" && s != "false" {
		return false, fmt.Errorf("%s is neither true nor false", quote(s))
	}
	return s == "true", nil
}

func parseInt(s string, least, most int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s is not a whole number from %d to %d", quote(s), least, most)
	}
	return n, nil
}

// parseRate reads calls per second, in decimals without an exponent.
func parseRate(s string) (float64, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(n) || n < minRate || n > maxRate || strings.Trim(s, "0123456789.") != "" {
		return 0, fmt.Errorf("%s is not a rate", quote(s))
	}
	return n, nil
}

func parseWait(s string) (time.Duration, error) { return parseDuration(s, 0, maxWait) }

func parseMaxAge(s string) (time.Duration, error) { return parseDuration(s, minAge, maxWait) }

func parseTimeout(s string) (time.Duration, error) { return parseDuration(s, minTimeout, maxTimeout) }

func parseDuration(s string, least, most time.Duration) (time.Duration, error) {
	d, err := duration.Parse(s)
	if err != nil || d < least || d > most {
		return 0, fmt.Errorf("%s is not a duration from %s to %s", quote(s), duration.Format(least), duration.Format(most))
	}
	return d, nil
}

// parseDeadCodes reads codes, of which none is a set too.
func parseDeadCodes(s string) (retry.Codes, error) {
	if s == "none" {
		return retry.Codes{}, nil
	}
	return retry.ParseCodes(s)
}

// maxQuoted bounds how much of a bad value a report repeats, in bytes.
const maxQuoted = 64

// quote prints an untrusted value, cut and escaped.
func quote(s string) string {
	if len(s) > maxQuoted {
		return strconv.Quote(s[:maxQuoted]) + "..."
	}
	return strconv.Quote(s)
}

func cut(s string) string { return s[:min(len(s), maxQuoted)] }
