// File invocation.go has the documents of invocations in any state.

package wire

import (
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
)

// States of an invocation. Those of a finished one are its outcomes.
const (
	StateReady     = "ready"
	StateRunning   = "running"
	StateDelayed   = "delayed"
	StateDone      = string(invocation.OutcomeDone)
	StateDead      = string(invocation.OutcomeDead)
	StateDropped   = string(invocation.OutcomeDropped)
	StateCancelled = string(invocation.OutcomeCancelled)
)

// Invocation is an invocation in any state.
type Invocation struct {
	ID       string `json:"id"`
	CallID   string `json:"call_id"`
	Kind     string `json:"kind"`   // function or callback
	Source   string `json:"source"` // gateway, http, mailbox or producer
	Queue    string `json:"queue"`
	Function string `json:"function"`         // as the caller named it; of a callback, whose result it carries
	Topic    string `json:"topic-entity"`     // the function's short name, or url:<host:port>
	Target   string `json:"target,omitempty"` // of a callback: scheme://host:port
	Origin   string `json:"origin,omitempty"` // of a callback: the id of the invocation whose result it carries
	// Sequence is the number of a callback among those of its origin.
	Sequence int       `json:"callback_sequence,omitempty"`
	State    string    `json:"state"`        // ready, running, delayed, done, dead, dropped or cancelled
	Due      time.Time `json:"due,omitzero"` // of a delayed one: when it is called
	// Running is when the call of a running one began.
	Running  time.Time `json:"running_since,omitzero"`
	First    time.Time `json:"first_seen"`
	Retries  int       `json:"retry-count"` // since it was accepted or replayed
	Attempts []Attempt `json:"attempts"`    // oldest first
	Omitted  int       `json:"attempts_omitted"`
	Replays  int       `json:"replays"`
	Size     int64     `json:"size"`             // bytes of the QueueRequest
	Expires  time.Time `json:"expires,omitzero"` // no attempt begins after it
	// Repeats is the invocation that this one repeats under the same Idempotency-Key: it is not
	// called, and ends like that one.
	Repeats string `json:"repeats,omitempty"`
	// DelayIgnored is why the delay that a message asked for was not honoured: invalid, too_long or too_many.
	DelayIgnored string    `json:"delay_ignored,omitempty"`
	Status       int       `json:"status"`           // of the last attempt, 0 without one
	Reason       string    `json:"reason,omitempty"` // why it is dead, or superseded for a callback that a replay of its origin cancelled
	Detail       string    `json:"detail,omitempty"`
	Died         time.Time `json:"died_at,omitzero"`
	Finished     time.Time `json:"finished_at,omitzero"` // when it finished
	HasResult    bool      `json:"result,omitempty"`     // GET .../result has it
	Truncated    bool      `json:"truncated,omitempty"`  // the result has only the beginning of the answer
	Policy       *Policy   `json:"policy,omitempty"`     // in force, unless it has finished; not in lists
}

// Request is the request of an invocation that is stored. Of a callback these are the header and the
// body that are posted.
type Request struct {
	ID      string      `json:"id"`
	Path    string      `json:"path"`            // after the function's name
	Query   string      `json:"query,omitempty"` // hidden, when there is one
	Headers http.Header `json:"headers"`         // secrets hidden

	MessageSize int64 `json:"message_size"` // bytes, before base64
	// MessageCut: Message has only the first bytes, or none.
	MessageCut bool `json:"message_cut"`
	// MessageRaw: the request is malformed, and Message is the QueueRequest as it came.
	MessageRaw bool `json:"message_raw"`
	// MessageWithheld: it is raw and may contain credentials, and only body=true gives it; or
	// the caller is the read-only account.
	MessageWithheld bool   `json:"message_withheld,omitempty"`
	Message         []byte `json:"message"`
}

// Over reports whether nothing more happens to it on its own.
func (i *Invocation) Over() bool {
	switch i.State {
	case StateReady, StateRunning, StateDelayed:
		return false
	}
	return true
}

// InvocationList are those that an id stands for, newest first, or a page of the pending ones.
type InvocationList struct {
	Invocations []Invocation `json:"invocations"`
	Next        string       `json:"next"`
}

// Over reports whether every invocation of a function among them has finished.
func (p *InvocationList) Over() bool {
	for _, i := range p.Invocations {
		if i.Kind != "callback" && !i.Over() {
			return false
		}
	}
	return true
}

// Policy is a policy in force: how often and when something is called again, and where each
// value comes from.
type Policy struct {
	Attempts      int               `json:"max_retry_attempts"` // -1: no limit
	Initial       string            `json:"initial_retry_wait"`
	Max           string            `json:"max_retry_wait"`
	Backoff       string            `json:"backoff"`
	Codes         string            `json:"retry_http_codes"`
	MaxRetryAfter string            `json:"max_retry_after"`
	DeadCodes     string            `json:"dead_set_codes"`
	MaxAge        string            `json:"max_age"`      // 0s: for ever
	Timeout       string            `json:"timeout"`      // of a call; 0s: the gateway decides
	MaxInflight   int               `json:"max_inflight"` // calls at a time
	Rate          float64           `json:"rate"`         // calls per second; 0: no limit
	Priority      int               `json:"priority"`
	From          map[string]string `json:"from"`
	Schedule      []string          `json:"schedule"`                    // longest waits before the first retries, at most 20
	Shortest      []string          `json:"schedule_shortest,omitempty"` // the shortest, where backoff is random
	TotalWait     string            `json:"total_wait"`                  // of all retries
	Refused       []Refused         `json:"refused,omitempty"`
}

// Refused is what a function or a message asks for and does not get.
type Refused struct {
	Name     string `json:"name"`            // of the annotation or the header field
	Value    string `json:"value,omitempty"` // quoted; absent for a header field, and for a name that means nothing
	Expected string `json:"expected"`
}
