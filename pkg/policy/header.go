// File header.go reads the header fields of a message.

package policy

import (
	"net/http"
	"time"

	"queue-worker/pkg/retry"
)

// Header fields of a message.
const (
	HeaderRetryLimit = "X-Retry-Limit"
	HeaderMaxAge     = "X-Max-Age"
	HeaderTimeout    = "X-Timeout"
)

// AgeOf is the X-Max-Age of a message, 0 when it has none that can be used.
func AgeOf(h http.Header) (age time.Duration) {
	if h[HeaderMaxAge] != nil {
		read(&reader{get: h.Get}, Form{HeaderMaxAge, formMaxAge}, parseMaxAge, &age)
	}
	return age
}

// WithHeader is the policy with what a message asks for. Every caller of a function
// may write its header, so without trust a field counts only where it asks for
// less than what holds already; with trust it counts whatever it asks for. A field
// that is invalid changes nothing and is reported; of one that is there twice the
// first counts.
func (p Policy) WithHeader(h http.Header, trust bool) (Policy, []Problem) {
	if h[HeaderRetryLimit] == nil && h[HeaderMaxAge] == nil && h[HeaderTimeout] == nil {
		return p, nil
	}
	r := reader{get: h.Get}
	var limit int
	if read(&r, Form{HeaderRetryLimit, forms[0].Expected}, parseAttempts, &limit) {
		if trust || p.Attempts == retry.Unlimited || limit < p.Attempts {
			p.Attempts = limit
			p.Sources[Attempts] = Header
		}
	}
	var d time.Duration
	if read(&r, Form{HeaderMaxAge, formMaxAge}, parseMaxAge, &d) && lowers(d, p.MaxAge, trust) {
		p.MaxAge = d
		p.Sources[MaxAge] = Header
	}
	if read(&r, Form{HeaderTimeout, formTimeout}, parseTimeout, &d) && lowers(d, p.Timeout, trust) {
		p.Timeout = d
		p.Sources[Timeout] = Header
	}
	return p, r.problems
}

// lowers reports whether what is asked for may take the place of what holds, of
// which 0 is no bound.
func lowers(asked, holds time.Duration, trust bool) bool {
	return trust || holds == 0 || asked < holds
}
