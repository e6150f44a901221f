// Package invocation is the domain of the queue-worker: what an invocation is,
// its form on the wire and in the store, and the closed sets of words that logs,
// metrics and the HTTP API share.
//
// An invocation is one QueueRequest with its identity and history. The bytes of the
// request never change; everything that changes is in the Invocation record.
//
// The package does no I/O, holds no locks and imports nothing of the project.
package invocation

import "time"

// Kind says what an invocation calls.
type Kind uint8

const (
	// KindFunction calls a function through the gateway.
	KindFunction Kind = iota
	// KindCallback posts a result to a URL that the caller chose.
	KindCallback
)

// String is the word for logs and the API.
func (k Kind) String() string {
	switch k {
	case KindFunction:
		return "function"
	case KindCallback:
		return "callback"
	}
	panic("invocation: unknown kind")
}

// State is where an accepted invocation is in the store. What is in flight is
// Ready in the store: after a crash it is called again.
type State uint8

const (
	// Pending waits to be called: at once, or at Due.
	Pending State = iota
	// Dead was given up and is in the dead set.
	Dead
)

// Lane names the invocations that share a pace: one function of one queue, or
// one callback host. It is the unit of fairness.
type Lane struct {
	Queue string `msgpack:"q"`
	// Name is a function's name without the default namespace ("figlet",
	// "figlet.staging"), "url:<host:port>" for callbacks, or "" when the message
	// names no usable function.
	Name string `msgpack:"n"`
}

// Attempt is the record of one call.
type Attempt struct {
	At       time.Time     `msgpack:"a" json:"at"`
	Duration time.Duration `msgpack:"d" json:"-"`
	// Status is the HTTP status that came back; 503 when none did, see Cause.
	Status int `msgpack:"s" json:"status"`
	// Cause says why there was no answer; empty when there was one.
	Cause Cause `msgpack:"c,omitempty" json:"cause,omitempty"`
}

// MaxHistory bounds the attempts that an invocation remembers one by one: the
// first half and the latest half are kept, and Omitted counts the ones between.
const MaxHistory = 256

// Invocation is everything that changes about an invocation, and its identity.
// The QueueRequest's bytes lie beside it and never change.
type Invocation struct {
	ID       ID        `msgpack:"-"`
	CallID   string    `msgpack:"c"`
	Kind     Kind      `msgpack:"k,omitempty"`
	Lane     Lane      `msgpack:"l"`
	Function string    `msgpack:"f"`           // as the caller named it; a callback's origin
	URL      string    `msgpack:"u,omitempty"` // a callback's target; may hold credentials: never log it
	Origin   ID        `msgpack:"o,omitempty"` // the invocation whose result a callback carries
	Accepted time.Time `msgpack:"t"`           // first seen
	Size     int       `msgpack:"z"`           // bytes of the QueueRequest

	State State     `msgpack:"s,omitempty"`
	Since time.Time `msgpack:"q"` // when it became ready or falls due: its place in its lane

	Retries  int       `msgpack:"r,omitempty"` // retries that the next attempt makes it: 0 before the first call
	Attempts []Attempt `msgpack:"a,omitempty"`
	Omitted  int       `msgpack:"m,omitempty"` // attempts between the two halves of Attempts
	Crashes  int       `msgpack:"x,omitempty"` // crashes of the worker while it was in flight
	Replays  int       `msgpack:"p,omitempty"` // times it was taken out of the dead set
	Job      ID        `msgpack:"n,omitempty"` // the job that replayed it last; zero for none

	Answer *Answer `msgpack:"g,omitempty"` // the latest answer of its function that is kept; nil for none. It is replaced and never changed

	// Sequence is, of a callback, its number among the callbacks of its origin: 1 or, from an earlier
	// version, 0 for the first. Of any other it is how many callbacks it has had.
	Sequence int `msgpack:"h,omitempty"`
	// Superseded: of a dead callback, its origin was replayed since it was written.
	Superseded bool `msgpack:"v,omitempty"`

	Terms *Terms `msgpack:"b,omitempty"` // what came with it and holds for it alone; nil for nothing
	Trace *Trace `msgpack:"j,omitempty"` // its trace context; nil without tracing. It is replaced and never changed

	Reason Reason    `msgpack:"w,omitempty"` // why it is dead
	Detail string    `msgpack:"e,omitempty"` // one sentence beside Reason; no payload, no credentials
	DiedAt time.Time `msgpack:"d,omitempty"`
}

// Record appends an attempt and keeps the history within MaxHistory.
func (i *Invocation) Record(a Attempt) {
	i.Attempts = append(i.Attempts, a)
	if len(i.Attempts) > MaxHistory {
		half := MaxHistory / 2
		i.Attempts = append(i.Attempts[:half], i.Attempts[half+1:]...)
		i.Omitted++
	}
}

// Bury makes an invocation dead that is not stored yet.
func (i *Invocation) Bury(why Reason, detail string, now time.Time) {
	i.State, i.DiedAt, i.Reason, i.Detail = Dead, now, why, detail
}

// LastStatus is the status of the latest attempt, 0 when there was none.
func (i *Invocation) LastStatus() int {
	if len(i.Attempts) == 0 {
		return 0
	}
	return i.Attempts[len(i.Attempts)-1].Status
}

// Calls counts all attempts that were made, the omitted ones included.
func (i *Invocation) Calls() int { return len(i.Attempts) + i.Omitted }
