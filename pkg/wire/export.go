// File export.go has the lines of an export, and the answer to an import.

package wire

import (
	"time"

	"queue-worker/pkg/invocation"
)

// Record is a line of an export: a whole dead letter. Times are exact to the nanosecond.
type Record struct {
	ID       invocation.ID `json:"id"`
	CallID   string        `json:"call_id"`
	Kind     string        `json:"kind"`
	Queue    string        `json:"queue"`
	Topic    string        `json:"topic-entity"` // the lane's name
	Function string        `json:"function"`
	URL      string        `json:"url,omitempty"` // of a callback, as it is called
	Origin   invocation.ID `json:"origin,omitzero"`
	// Sequence and Superseded are those of the record; see invocation.Invocation.
	Sequence   int  `json:"callback_sequence,omitempty"`
	Superseded bool `json:"superseded,omitempty"`

	First    time.Time         `json:"first_seen"`
	Since    time.Time         `json:"since,omitzero"`
	Retries  int               `json:"retry-count"`
	Attempts []RecordAttempt   `json:"attempts"`
	Omitted  int               `json:"attempts_omitted"`
	Crashes  int               `json:"crashes"`
	Replays  int               `json:"replays"`
	Terms    *RecordTerms      `json:"terms,omitzero"`
	Trace    *RecordTrace      `json:"trace,omitzero"`
	Answer   *Answer           `json:"answer,omitzero"`
	Reason   invocation.Reason `json:"reason"`
	Detail   string            `json:"detail"`
	Died     time.Time         `json:"died_at"`
	// Error is why the dead letter could not be read. Such a line cannot be imported.
	Error string `json:"error,omitempty"`
	// Request is the QueueRequest. It is last, because an export writes it while it is
	// encoded.
	Request []byte `json:"request"`
}

// RecordAttempt is one call.
type RecordAttempt struct {
	At       time.Time        `json:"at"`
	Duration int64            `json:"duration_ns"`
	Status   int              `json:"status"`
	Cause    invocation.Cause `json:"cause,omitempty"`
}

// RecordTerms are the terms under which an invocation was accepted.
type RecordTerms struct {
	Source     string    `json:"source"`
	MaxRetries int       `json:"max_retries"`
	Delay      int64     `json:"delay_ns"`
	Expires    time.Time `json:"expires,omitzero"`
	Delayed    bool      `json:"delayed,omitzero"`       // the delay of its header was honoured
	Ignored    string    `json:"delay_ignored,omitzero"` // why it was not
	// Repeats is the invocation that it repeats under the same Idempotency-Key.
	Repeats invocation.ID `json:"repeats,omitzero"`
}

// RecordTrace is the trace that an invocation belongs to.
type RecordTrace struct {
	Parent string `json:"parent,omitempty"`
	State  string `json:"state,omitempty"`
	Last   string `json:"last,omitempty"`
}

// Imported is the answer to an import. With a problem beside it, it is what became of the
// lines before that.
type Imported struct {
	Imported    int          `json:"imported"`
	Skipped     int          `json:"skipped"` // there already, in whatever state
	Failed      []FailedLine `json:"failed"`  // the first 1000
	FailedTotal int          `json:"failed_total"`
}

// FailedLine is a line that was not imported.
type FailedLine struct {
	Line  int    `json:"line"` // from 1
	Error string `json:"error"`
}

// ImportProblem is the answer to an import that ended early.
type ImportProblem struct {
	Problem
	Imported
}
