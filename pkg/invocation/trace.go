package invocation

// Trace is the trace context of an invocation. It is set only when
// spans are made. Parent and Last are values of the header field traceparent, and
// State is one of tracestate.
type Trace struct {
	// Parent is what all attempts are children of, where the message does not say
	// it: of a callback, the caller of its origin; of a message without a trace, its
	// first attempt, which began one.
	Parent string `msgpack:"p,omitempty"`
	State  string `msgpack:"s,omitempty"` // of Parent
	// Last is the latest attempt; of a callback that was not called yet, the one
	// whose result it carries.
	Last string `msgpack:"l,omitempty"`
}
