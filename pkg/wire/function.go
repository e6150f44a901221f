// File function.go has the documents of functions and of their pauses.

package wire

import "time"

// FunctionList are functions, one entry for each queue.
type FunctionList struct {
	Functions []Function `json:"functions"`
	Next      string     `json:"next,omitempty"`
	Others    []Others   `json:"others,omitempty"`
	Note      string     `json:"note,omitempty"` // what the caller should know of what was done
}

// Function is a function of one queue, or a host that callbacks are sent to.
type Function struct {
	Function  string     `json:"function"` // with its namespace
	Topic     string     `json:"topic-entity"`
	Queue     string     `json:"queue"`
	Ready     int        `json:"ready"` // without those that run
	Running   int        `json:"running"`
	Delayed   int        `json:"delayed"`
	Dead      int        `json:"dead"`
	OldestAge float64    `json:"oldest_age_seconds"` // of the first that is ready, 0 without one
	Rate      float64    `json:"rate_per_second"`    // calls over the last minute
	LastError *LastError `json:"last_error"`         // since the start; null without one
	GivenUp15 int        `json:"given_up_15m"`       // dead or dropped, in the last 15 minutes
	GivenUp1h int        `json:"given_up_1h"`        // in the last hour
	// Discarded15 are those of the last 15 minutes that were dropped: no dead letter is of them.
	Discarded15 int        `json:"discarded_15m"`
	Limit       int        `json:"limit"`      // calls at a time
	HeldUntil   *time.Time `json:"held_until"` // by a Retry-After; null: it is not held
	Breaker     Breaker    `json:"breaker"`
	Paused      *Pause     `json:"paused"`            // null: it is called
	History     *History   `json:"history,omitempty"` // when it is asked for
}

// LastError is the latest call of a function that failed.
type LastError struct {
	At     time.Time `json:"at"`
	Status int       `json:"status"`
	Cause  string    `json:"cause,omitempty"`
}

// States of a breaker.
const (
	BreakerClosed  = "closed"
	BreakerOpen    = "open"
	BreakerProbing = "probing" // it is open, and a probe is in flight
)

// Breaker shows whether a function is only probed, because it cannot be reached.
type Breaker struct {
	State string    `json:"state"`
	Since time.Time `json:"since,omitzero"`
	Cause string    `json:"cause,omitempty"`     // internal: OpenFaaS answers in the function's place
	Next  time.Time `json:"next_probe,omitzero"` // of one that is open
}

// Pause says who paused a function, why, and for how long.
type Pause struct {
	Reason string     `json:"reason"`
	Author string     `json:"author"`
	By     string     `json:"by"` // the user whom the server has admitted
	Since  time.Time  `json:"since"`
	Until  *time.Time `json:"until"` // null: until it is resumed
}

// Due counts the delayed invocations of a function by when they become due.
type Due struct {
	From  time.Time `json:"from"`
	Step  int       `json:"step_seconds"`
	Due   []int     `json:"due"`   // by step; the first counts overdue ones, too
	Whole bool      `json:"whole"` // false: there are more than could be counted
}

// Others counts what is in functions of a queue that are not listed one by one, because
// there are too many.
type Others struct {
	Queue   string `json:"queue"`
	Ready   int    `json:"ready"` // with those that run
	Delayed int    `json:"delayed"`
	Dead    int    `json:"dead"`
}

// PauseRequest asks for a pause. Without For and Until it lasts until the function is
// resumed.
type PauseRequest struct {
	Reason string `json:"reason,omitzero"`
	Author string `json:"author,omitzero"`
	For    string `json:"for,omitzero"`   // a duration such as 90m or 7d
	Until  string `json:"until,omitzero"` // a time
	Force  bool   `json:"force,omitzero"` // also a function that does not exist
}
