// File annotations.go reads the annotations of a function.

package policy

import (
	"strings"
	"time"

	"queue-worker/pkg/retry"
)

// The annotations that OpenFaaS defines for retries.
const (
	AnnotationAttempts = "com.openfaas.retry.attempts"
	AnnotationCodes    = "com.openfaas.retry.codes"
	AnnotationMinWait  = "com.openfaas.retry.min_wait"
	AnnotationMaxWait  = "com.openfaas.retry.max_wait"
)

// The annotations that this program adds.
const (
	AnnotationBackoff     = "queue-worker.backoff"
	AnnotationMaxAge      = "queue-worker.max_age"
	AnnotationMaxInflight = "queue-worker.max_inflight"
	AnnotationRate        = "queue-worker.rate"
	AnnotationTimeout     = "queue-worker.timeout"
	AnnotationDeadCodes   = "queue-worker.dead_codes"
	AnnotationPriority    = "queue-worker.priority"
	AnnotationIdempotency = "queue-worker.idempotency"
)

// Prefixes of the annotations that mean something here.
const (
	openfaasPrefix = "com.openfaas.retry."
	ourPrefix      = "queue-worker."
)

// Concerns reports whether an annotation may mean something here. One with our
// prefix that means nothing, or that is close to one of ours, is a slip of the pen, and reported.
func Concerns(key string) bool {
	return strings.HasPrefix(key, openfaasPrefix) || strings.HasPrefix(key, ourPrefix) || meant(key) != ""
}

// Forms are the annotations and what each takes, in the order of reports.
func Forms() []Form { return forms[:] }

// Form describes the values of an annotation.
type Form struct {
	Key, Expected string
}

const (
	formWait  = "a duration such as 10s or 2m, or a number of seconds, from 0 to 8760h"
	formCodes = "codes, classes and exclusions such as 408,429,5xx,!501"
)

var forms = [...]Form{
	{AnnotationAttempts, "a whole number from 0 to 1000000000"},
	{AnnotationCodes, formCodes},
	{AnnotationMinWait, formWait},
	{AnnotationMaxWait, formWait},
	{AnnotationBackoff, "exponential, full, equal or constant"},
	{AnnotationMaxAge, formMaxAge},
	{AnnotationMaxInflight, "a whole number from 1 to 10000"},
	{AnnotationRate, "calls per second from 0.01 to 100000, such as 5 or 0.5"},
	{AnnotationTimeout, formTimeout},
	{AnnotationDeadCodes, "none, or " + formCodes},
	{AnnotationPriority, "a whole number from 1 to 10"},
	{AnnotationIdempotency, "true or false"},
}

// Problem is an annotation or a header field that could not be used. Its fields are
// ready to be logged; Value is cut when it is long, and "" for an annotation that does not exist.
type Problem struct {
	Key, Value, Expected string
}

// String is the problem as one line.
func (p Problem) String() string {
	if p.Value == "" {
		return p.Key + ": " + p.Expected
	}
	return p.Key + " is " + p.Value + ": expected " + p.Expected
}

// With is the policy with a function's own values in place of those it has. from is
// where the annotations are from. One that is absent or empty changes nothing; one
// that is invalid changes nothing either and is reported, in a fixed order. A bare
// number as a duration means seconds. Codes replace those there were, they do not
// add to them.
//
// When the least wait comes out above the greatest, the one that the function has set
// moves the other. When it has set both, the greatest wins: every wait is max_wait,
// and min_wait is reported.
func (p Policy) With(annotations map[string]string, from Source) (Policy, []Problem) {
	if !anyConcerns(annotations) {
		return p, nil
	}
	r := reader{get: func(key string) string { return annotations[key] }}
	take := func(s Setting, ok bool) {
		if ok {
			p.Sources[s] = from
		}
	}
	take(Attempts, read(&r, forms[0], parseAttempts, &p.Attempts))
	take(Codes, read(&r, forms[1], retry.ParseCodes, &p.Codes))
	p.waits(&r, from)
	take(Backoff, read(&r, forms[4], retry.ParseMode, &p.Mode))
	take(MaxAge, read(&r, forms[5], parseMaxAge, &p.MaxAge))
	take(MaxInflight, read(&r, forms[6], parseInflight, &p.Lane.MaxInflight))
	take(Rate, read(&r, forms[7], parseRate, &p.Lane.Rate))
	take(Timeout, read(&r, forms[8], parseTimeout, &p.Timeout))
	take(DeadCodes, read(&r, forms[9], parseDeadCodes, &p.DeadCodes))
	take(Priority, read(&r, forms[10], parsePriority, &p.Lane.Priority))
	var idempotent bool
	if read(&r, forms[11], parseBool, &idempotent) && from == GatewayAnnotation {
		p.Idempotent = idempotent
	}
	r.strangers(annotations)
	return p, r.problems
}

// AnnotatedAge is the max_age of annotations, 0 when they have none that can be used.
func AnnotatedAge(annotations map[string]string) (age time.Duration) {
	if annotations[AnnotationMaxAge] != "" {
		read(&reader{get: func(key string) string { return annotations[key] }}, forms[5], parseMaxAge, &age)
	}
	return age
}

func anyConcerns(annotations map[string]string) bool {
	for key := range annotations {
		if Concerns(key) {
			return true
		}
	}
	return false
}

// waits reads the two bounds of the waits, each of which may move the other.
func (p *Policy) waits(r *reader, from Source) {
	var least, greatest time.Duration
	hasMin := read(r, forms[2], parseWait, &least)
	hasMax := read(r, forms[3], parseWait, &greatest)
	if hasMin && hasMax && least > greatest {
		r.report(AnnotationMinWait, "at most "+AnnotationMaxWait+", which is "+greatest.String())
	}
	before := p.Policy
	if hasMin {
		p.Initial, p.Max = least, max(p.Max, least)
	}
	if hasMax {
		p.Initial, p.Max = min(p.Initial, greatest), greatest
	}
	if hasMin || p.Initial != before.Initial {
		p.Sources[Initial] = from
	}
	if hasMax || p.Max != before.Max {
		p.Sources[Max] = from
	}
}
