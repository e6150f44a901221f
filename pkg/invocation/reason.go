package invocation

// Reason says why an invocation was given up. It is one vocabulary everywhere:
// the dead letter's field, the metric's label and the log's value.
type Reason string

// The closed set of reasons.
const (
	// AttemptsExhausted: every retry that the policy allows has failed.
	AttemptsExhausted Reason = "attempts_exhausted"
	// NonRetryable: the function answered with a final error status.
	NonRetryable Reason = "non_retryable"
	// Malformed: it cannot be decoded, names no usable function, or has a
	// header or URL that cannot be sent.
	Malformed Reason = "malformed"
	// Poison: the worker crashed too many times while it was in flight.
	Poison Reason = "poison"
	// CallbackRefused: the callback's URL leads where callback_policy forbids.
	CallbackRefused Reason = "callback_refused"
	// MaxAgeExceeded: the next attempt would have come after its time was over.
	MaxAgeExceeded Reason = "max_age_exceeded"
	// FunctionNotFound: the gateway did not know the function for as long as it was
	// waited for.
	FunctionNotFound Reason = "function_not_found"
)

// Superseded is why a pending callback was cancelled: its origin was replayed. It is no reason of a
// dead letter.
const Superseded Reason = "superseded"

// Supersede gives a pending callback, which leaves the store, its reason.
func (i *Invocation) Supersede() {
	i.Reason, i.Detail = Superseded, "The invocation was replayed before this callback was delivered."
}

// Reasons lists the closed set, for label sets that are complete from the start.
func Reasons() []Reason {
	return []Reason{AttemptsExhausted, NonRetryable, Malformed, Poison, CallbackRefused, MaxAgeExceeded, FunctionNotFound}
}

// Cause says why a call got no answer. Such calls count as status 503.
type Cause string

// The closed set of causes.
const (
	CauseTimeout Cause = "timeout" // the deadline passed
	CauseRefused Cause = "refused" // nothing listens there
	CauseReset   Cause = "reset"   // the connection broke before the answer was whole
	CauseDNS     Cause = "dns"     // the name has no address
	CauseTLS     Cause = "tls"     // the handshake or the certificate failed
	// CauseRedirected: what is before the gateway redirected the call, which did not reach the function.
	CauseRedirected Cause = "redirected"
	CauseTransport  Cause = "transport" // anything else
)

// Causes lists the closed set, for label sets that are complete from the start.
func Causes() []Cause {
	return []Cause{CauseTimeout, CauseRefused, CauseReset, CauseDNS, CauseTLS, CauseRedirected, CauseTransport}
}
