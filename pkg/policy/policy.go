// Package policy computes how a function is called, from the worker's settings, the
// annotations of the function and the header of the message. The upper ones have
// precedence:
//
//	header      X-Retry-Limit, X-Max-Age, X-Timeout of the message (header.go)
//	annotation  of the message, otherwise of the gateway (annotations.go)
//	queue       the settings of one queue
//	worker      the settings of this process
//
// An invalid value is ignored and reported; each value has its source.
//
// The package is pure: it makes no calls, reads no clock and logs nothing. It does not
// decide what follows a call; pkg/retry does.
package policy

import (
	"time"

	"queue-worker/pkg/retry"
)

// Policy is everything that decides how a function is called. It is a value: it
// may be copied and compared, and used by any number of goroutines.
type Policy struct {
	retry.Policy
	// MaxAge is how long after it was accepted an invocation is worth a call; 0 for
	// ever.
	MaxAge time.Duration
	// Timeout is the longest call; 0 leaves that to the gateway.
	Timeout time.Duration
	// Lane is how fast its function may be called.
	Lane Lane
	// Idempotent: the function's author wants an Idempotency-Key of a message to count. A message
	// cannot ask for it.
	Idempotent bool
	// Sources says where each value is from.
	Sources Sources
}

// Lane is how fast a function may be called. It holds for all its invocations
// together. Zero values are the worker's own.
type Lane struct {
	MaxInflight int     // calls at a time
	Rate        float64 // calls that begin in a second
	Priority    int     // from 1 to 10, 5 without
}

// Setting is one value of a policy.
type Setting uint8

// The closed set of settings.
const (
	Attempts Setting = iota
	Initial
	Max
	Backoff
	Codes
	MaxRetryAfter
	DeadCodes
	MaxAge
	Timeout
	MaxInflight
	Rate
	Priority
	settingCount
)

// settingNames are the names of the worker's settings where there is one, and of
// the annotations where there is none.
var settingNames = [settingCount]string{
	"max_retry_attempts", "initial_retry_wait", "max_retry_wait", "backoff", "retry_http_codes", "max_retry_after",
	"dead_set_codes", "max_age", "timeout", "max_inflight", "rate", "priority",
}

// String is its name.
func (s Setting) String() string { return settingNames[s] }

// Source is where a value is from.
type Source uint8

// The closed set of sources.
const (
	Worker Source = iota
	Queue
	GatewayAnnotation
	Annotation // of the message
	Header
	Mailbox
	Producer
)

// String is the word for the API.
func (s Source) String() string {
	switch s {
	case Worker:
		return "worker"
	case Queue:
		return "queue"
	case GatewayAnnotation:
		return "gateway annotation"
	case Annotation:
		return "annotation"
	case Header:
		return "header"
	case Mailbox:
		return "mailbox"
	case Producer:
		return "producer"
	}
	panic("policy: unknown source")
}

// Sources says where each value of a policy is from. The zero value is the worker.
type Sources [settingCount]Source

// Set says where some values are from.
func (s *Sources) Set(from Source, settings ...Setting) {
	for _, setting := range settings {
		s[setting] = from
	}
}

// Words are the sources by the names of the settings.
func (s Sources) Words() map[string]string {
	words := make(map[string]string, len(s))
	for setting, from := range s {
		words[Setting(setting).String()] = from.String() // #nosec G115 -- an index of a short array
	}
	return words
}

// Within cuts a policy down to what the worker, or its queue, allows at most: as many
// calls at a time, and calls as long. What is cut is from where the bound is from.
func (p Policy) Within(base Policy) Policy {
	if base.Timeout > 0 && (p.Timeout == 0 || p.Timeout > base.Timeout) {
		p.Timeout, p.Sources[Timeout] = base.Timeout, base.Sources[Timeout]
	}
	if most := base.Lane.MaxInflight; most > 0 && (p.Lane.MaxInflight == 0 || p.Lane.MaxInflight > most) {
		p.Lane.MaxInflight, p.Sources[MaxInflight] = most, base.Sources[MaxInflight]
	}
	return p
}
