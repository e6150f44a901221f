// The annotations by which a function sets its own retries.

package retry

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The annotations that OpenFaaS defines for retries.
const (
	AnnotationAttempts = "com.openfaas.retry.attempts"
	AnnotationCodes    = "com.openfaas.retry.codes"
	AnnotationMinWait  = "com.openfaas.retry.min_wait"
	AnnotationMaxWait  = "com.openfaas.retry.max_wait"
)

const (
	// maxAttempts bounds what an annotation may ask for. Retrying without end is
	// not for function authors to switch on.
	maxAttempts = 1_000_000_000
	// maxWait bounds the waits of annotations: a longer one is a slip of the pen,
	// and a due time must stay a date that the store can write.
	maxWait = 365 * 24 * time.Hour
)

// Problem is an annotation that could not be used. Its fields are ready to be
// logged; Value is cut when it is long.
type Problem struct {
	Key, Value, Expected string
}

// String is the problem as one line.
func (p Problem) String() string { return p.Key + " is " + p.Value + ": expected " + p.Expected }

// WithAnnotations is the policy with a function's own settings in place of the
// worker's. An annotation that is absent or empty changes nothing; one that is
// invalid changes nothing either and is reported, in a fixed order. A bare
// number as a wait means seconds. Codes replace the worker's, they do not add
// to them.
//
// When the least wait comes out above the greatest, the one that the function
// set moves the worker's. When the function set both, the greatest wins: every
// wait is max_wait, and min_wait is reported.
func (p Policy) WithAnnotations(annotations map[string]string) (Policy, []Problem) {
	if len(annotations) == 0 {
		return p, nil
	}
	r := reader{annotations: annotations}
	if n, ok := read(&r, AnnotationAttempts, "a whole number from 0 to 1000000000", parseAttempts); ok {
		p.Attempts = n
	}
	if c, ok := read(&r, AnnotationCodes, "codes, classes and exclusions such as 408,429,5xx,!501", ParseCodes); ok {
		p.Codes = c
	}
	const waitForm = "a duration such as 10s or 2m, or a number of seconds, from 0 to 8760h"
	least, hasMin := read(&r, AnnotationMinWait, waitForm, parseWait)
	greatest, hasMax := read(&r, AnnotationMaxWait, waitForm, parseWait)
	if hasMin && hasMax && least > greatest {
		r.report(AnnotationMinWait, "at most "+AnnotationMaxWait+", which is "+greatest.String())
	}
	if hasMin {
		p.Initial, p.Max = least, max(p.Max, least)
	}
	if hasMax {
		p.Initial, p.Max = min(p.Initial, greatest), greatest
	}
	return p, r.problems
}

// reader reads annotations and collects what is wrong with them.
type reader struct {
	annotations map[string]string
	problems    []Problem
}

// read parses one annotation. ok is false when it is absent, empty or invalid.
func read[T any](r *reader, key, expected string, parse func(string) (T, error)) (v T, ok bool) {
	value := strings.TrimSpace(r.annotations[key])
	if value == "" {
		return v, false
	}
	v, err := parse(value)
	if err != nil {
		r.report(key, expected)
		return v, false
	}
	return v, true
}

func (r *reader) report(key, expected string) {
	r.problems = append(r.problems, Problem{Key: key, Value: quote(r.annotations[key]), Expected: expected})
}

// parseAttempts reads a number of retries.
func parseAttempts(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > maxAttempts {
		return 0, fmt.Errorf("%s is not a number of retries", quote(s))
	}
	return n, nil
}

// parseWait reads a Go duration, or a bare number of seconds as the gateway does.
func parseWait(s string) (time.Duration, error) {
	if isDigits(s) {
		s += "s"
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > maxWait {
		return 0, fmt.Errorf("%s is not a wait", quote(s))
	}
	return d, nil
}
