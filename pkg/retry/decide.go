// The decision: from what an attempt came to, to what follows it.

package retry

import (
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
)

// Statuses from the first one on are failures, with Policy.Only2xx those outside
// the other two.
const (
	failureFrom  = 400 // a 3xx that was not followed is the function's answer
	strictFrom   = 300 // with Policy.Only2xx
	strictBefore = 200
)

// leastGraceWait is the shortest wait for a function that is not there: asking for it
// more often finds it no sooner.
const leastGraceWait = time.Second

// Result is what one attempt came to, as far as the decision needs it.
type Result struct {
	// Status is the HTTP status. One outside 100..599, 0 included, counts as 500
	// (RFC 9110, section 15).
	Status int
	// Cause is set when there was no whole answer; the status counts as 503 then.
	Cause invocation.Cause
	// Internal: the answer has the header X-OpenFaaS-Internal, so it comes from
	// OpenFaaS and not from the function.
	Internal bool
	// RetryAfter is the header of that name as it came, "" for none.
	RetryAfter string
	// NoRetry: the function says by a header of its answer that calling it again is of
	// no use.
	NoRetry bool
	// Missing is since when the answers say that there is no such function, which is
	// sure; zero when there is one, or it is unknown.
	Missing time.Time
	// Malformed: the invocation has a header or a URL that cannot be sent.
	Malformed bool
	// Refused: the callback's URL leads where callback_policy forbids.
	Refused bool
	// Redirected: the function asks for a repetition at a URL where it must not be made.
	Redirected bool
	// Expires is when it is too late for another attempt; zero for never.
	Expires time.Time
}

// Decision is data: the worker carries it out.
type Decision struct {
	Outcome invocation.Outcome // any but cancelled
	Wait    time.Duration      // before a retry: from the end of the attempt, never negative
	Reason  invocation.Reason  // of what is dead or dropped
}

// Decide says what follows an attempt that was the retries-th retry (0: the first
// call). Now is what a Retry-After date and Expires are compared with; random is
// as for Wait. In this order:
//
//  1. malformed or refused: buried with that reason, for no retry can help
//  2. Redirected, without Only2xx: buried as non_retryable
//  3. a status below 400 (with Only2xx: 200..299): done
//  4. a function that is missing: retried within UnknownGrace, then buried as
//     function_not_found
//  5. NoRetry or 410 where it would be retried: buried as non_retryable
//  6. no answer, an internal error, a status in Codes, with Only2xx any failure:
//     retried while retries are left, then buried as attempts_exhausted; buried
//     as max_age_exceeded when the retry would come after Expires
//  7. any other status: final; buried as non_retryable when it is in DeadCodes,
//     else discarded
func (p Policy) Decide(retries int, r Result, now time.Time, random func() float64) Decision {
	switch {
	case r.Malformed:
		return Decision{Outcome: invocation.OutcomeDead, Reason: invocation.Malformed}
	case r.Refused:
		return Decision{Outcome: invocation.OutcomeDead, Reason: invocation.CallbackRefused}
	case r.Redirected && !p.Only2xx:
		return Decision{Outcome: invocation.OutcomeDead, Reason: invocation.NonRetryable}
	case p.succeeded(r):
		return Decision{Outcome: invocation.OutcomeDone}
	case !r.Missing.IsZero():
		return p.missing(max(retries, 0), r, now, random)
	case p.refuses(r) && p.retryable(r):
		return Decision{Outcome: invocation.OutcomeDead, Reason: invocation.NonRetryable}
	case p.retryable(r):
		return p.again(max(retries, 0), r, now, random)
	case p.DeadCodes.Has(r.status()):
		return Decision{Outcome: invocation.OutcomeDead, Reason: invocation.NonRetryable}
	}
	return Decision{Outcome: invocation.OutcomeDropped, Reason: invocation.NonRetryable}
}

// again retries, or gives up when no retry is left.
func (p Policy) again(retries int, r Result, now time.Time, random func() float64) Decision {
	if p.Attempts != Unlimited && retries >= p.Attempts {
		return Decision{Outcome: invocation.OutcomeDead, Reason: invocation.AttemptsExhausted}
	}
	status := r.status()
	wait := p.waitAfter(status, next(retries), random)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		// A Retry-After lengthens a wait and never shortens it: the cap is on the
		// header, so it cannot pull the wait below what it would be without one.
		asked, _ := ParseRetryAfter(r.RetryAfter, now)
		wait = max(wait, min(asked, p.MaxRetryAfter))
	}
	return r.after(wait, now)
}

// next is the number of the next retry; an unlimited policy may come to the end of int.
func next(retries int) int { return max(retries+1, retries) }

// after retries, unless it would be too late by then.
func (r Result) after(wait time.Duration, now time.Time) Decision {
	if !r.Expires.IsZero() && now.Add(wait).After(r.Expires) {
		return Decision{Outcome: invocation.OutcomeDead, Reason: invocation.MaxAgeExceeded}
	}
	return Decision{Outcome: invocation.OutcomeRetry, Wait: wait}
}

// missing retries a missing function until the grace ends. The last
// retry that the policy allows comes at the end of the grace, so that a function
// with few of them is waited for as long as any other.
func (p Policy) missing(retries int, r Result, now time.Time, random func() float64) Decision {
	left := min(r.Missing.Add(p.UnknownGrace).Sub(now), p.UnknownGrace) // the clock may have been set back
	if left <= 0 || p.Attempts != Unlimited && retries >= p.Attempts {
		return Decision{Outcome: invocation.OutcomeDead, Reason: invocation.FunctionNotFound}
	}
	wait := left
	if p.Attempts == Unlimited || retries < p.Attempts-1 {
		wait = min(max(p.waitAfter(r.status(), next(retries), random), leastGraceWait), left)
	}
	return r.after(wait, now)
}

// refuses reports whether the function itself says that no retry can help. Who is not
// called as a function has no say in it.
func (p Policy) refuses(r Result) bool {
	return !p.Only2xx && r.Cause == "" && !r.Internal && (r.NoRetry || r.Status == http.StatusGone)
}

// retryable reports whether a failure may be tried again.
func (p Policy) retryable(r Result) bool {
	status := r.status()
	return p.Only2xx || r.Cause != "" || r.Internal && status >= failureFrom || p.Codes.Has(status)
}

// succeeded reports whether the attempt succeeded.
func (p Policy) succeeded(r Result) bool {
	status := r.status()
	if p.Only2xx {
		return status >= strictBefore && status < strictFrom
	}
	return status < failureFrom
}

// status is the status that the attempt counts as.
func (r Result) status() int {
	if r.Cause != "" {
		return http.StatusServiceUnavailable
	}
	if r.Status < minCode || r.Status > maxCode {
		return http.StatusInternalServerError
	}
	return r.Status
}
