// File tally.go has what is counted for a job.

package store

import "queue-worker/pkg/invocation"

// Tally counts what became of the invocations that one job has replayed. Only outcomes count
// that finish them, and each invocation counts once.
type Tally struct {
	Replayed    int
	Succeeded   int
	FailedAgain int // dead
	Dropped     int // given up and not kept
	Cancelled   int
}

// Pending is how many have no outcome yet.
func (t Tally) Pending() int {
	return t.Replayed - t.Succeeded - t.FailedAgain - t.Dropped - t.Cancelled
}

// Count counts the outcome of one invocation; a retry is none.
func (t *Tally) Count(o invocation.Outcome) {
	switch o {
	case invocation.OutcomeDone:
		t.Succeeded++
	case invocation.OutcomeDead:
		t.FailedAgain++
	case invocation.OutcomeDropped:
		t.Dropped++
	case invocation.OutcomeCancelled:
		t.Cancelled++
	case invocation.OutcomeRetry:
	}
}
