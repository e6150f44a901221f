// File outcome.go has the closed set of outcomes: one list of words for decisions, settlements, results and look-ups.

package invocation

// Outcome is what became of an invocation: of an attempt, or without one. The zero value is none.
type Outcome string

// The closed set of outcomes.
const (
	// OutcomeDone: the invocation succeeded.
	OutcomeDone Outcome = "done"
	// OutcomeRetry: the invocation is called again later. It is the only outcome of an invocation that is not finished.
	OutcomeRetry Outcome = "retry"
	// OutcomeDead: the invocation was given up and is kept in the dead set.
	OutcomeDead Outcome = "dead"
	// OutcomeDropped: the invocation was given up and is not kept, or an operator or a bound removed its dead letter.
	OutcomeDropped Outcome = "dropped"
	// OutcomeCancelled: an operator or a caller ended it before it was finished.
	OutcomeCancelled Outcome = "cancelled"
)

// Outcomes lists the closed set.
func Outcomes() []Outcome {
	return []Outcome{OutcomeDone, OutcomeRetry, OutcomeDead, OutcomeDropped, OutcomeCancelled}
}

// Leaves reports whether an invocation with this outcome is no longer in the store.
func (o Outcome) Leaves() bool {
	switch o {
	case OutcomeDone, OutcomeDropped, OutcomeCancelled:
		return true
	case OutcomeRetry, OutcomeDead:
		return false
	}
	panic("invocation: unknown outcome")
}

// Next is the word of logs, traces and metrics for the outcome of an attempt. An invocation that was dropped after an
// attempt was discarded there, long before there was one list of words, and log alerts match it.
func (o Outcome) Next() string {
	if o == OutcomeDropped {
		return "discarded"
	}
	return string(o)
}
