// File terms.go has the terms of one invocation that differ from the settings.

package invocation

import "time"

// Source says where an invocation came from, which decides how it is retried.
type Source uint8

const (
	// SourceGateway is through NATS Streaming, as OpenFaaS's gateway publishes.
	SourceGateway Source = iota
	// SourceHTTP is POST /async-function, retried like the gateway's.
	SourceHTTP
	// SourceMailbox is POST /deadletter. Everything but 2xx is delivered again,
	// always after Terms.Delay, until Terms.MaxRetries.
	SourceMailbox
	// SourceProducer is POST /queue/producer. Everything but 2xx is delivered again,
	// first after a second, then after twice the wait before, up to max_retry_wait.
	SourceProducer
)

// String is the word for logs and the API.
func (s Source) String() string {
	switch s {
	case SourceGateway:
		return "gateway"
	case SourceHTTP:
		return "http"
	case SourceMailbox:
		return "mailbox"
	case SourceProducer:
		return "producer"
	}
	panic("invocation: unknown source")
}

// Unlimited as a number of retries is no limit.
const Unlimited = -1

// Terms are what came with one invocation and holds for it alone.
type Terms struct {
	Source Source `msgpack:"s,omitempty"`
	// MaxRetries and Delay are the mailbox's: X-Max-Retries, Unlimited without it,
	// and X-Delay-Duration.
	MaxRetries int           `msgpack:"m,omitempty"`
	Delay      time.Duration `msgpack:"d,omitempty"`
	// Expires is when it is too late: no attempt begins after it. Zero for never.
	Expires time.Time `msgpack:"x,omitempty"`
	// Delayed: the delay that the header of a message asked for was honoured, so its fields are
	// no function's business.
	Delayed bool `msgpack:"h,omitempty"`
	// DelayIgnored is why it was not honoured, "" when none was asked for or it was.
	DelayIgnored DelayIgnored `msgpack:"i,omitempty"`
	// Repeats is the invocation that this one repeats under the same idempotency key; zero for none.
	Repeats ID `msgpack:"r,omitempty"`
}

// DelayIgnored is why the delay that a message asked for was not honoured.
type DelayIgnored string

// The reasons.
const (
	DelayInvalid DelayIgnored = "invalid"  // no duration, no time, both, or beyond X-Max-Age
	DelayTooLong DelayIgnored = "too_long" // 366 days; an hour without a durable store
	DelayTooMany DelayIgnored = "too_many" // without a durable store: half of max_unsettled is delayed
)

// DelaysIgnored are all reasons.
func DelaysIgnored() []DelayIgnored { return []DelayIgnored{DelayInvalid, DelayTooLong, DelayTooMany} }

// Source returns where the invocation came from.
func (i *Invocation) Source() Source {
	if i.Terms == nil {
		return SourceGateway
	}
	return i.Terms.Source
}

// Expires is when it is too late to call, zero for never.
func (i *Invocation) Expires() time.Time {
	if i.Terms == nil {
		return time.Time{}
	}
	return i.Terms.Expires
}

// IsExhausted reports whether the next call would be one more than the mailbox was
// allowed to make: a caller counts too, and may have made the last one already.
func (i *Invocation) IsExhausted() bool {
	t := i.Terms
	return t != nil && t.Source == SourceMailbox && t.MaxRetries != Unlimited && i.Retries > t.MaxRetries
}

// CameExhausted is the detail of a dead letter that was never called for it.
const CameExhausted = "It came with all its retries behind it."
