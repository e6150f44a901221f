// File pending.go has what is asked of pending invocations.

package store

import (
	"time"
)

// States of a PendingFilter.
const (
	StateReady   = "ready" // in flight included
	StateDelayed = "delayed"
)

// PendingFilter says which pending invocations are meant. What is empty lets
// everything pass.
type PendingFilter struct {
	Queue    string
	Function string    // name of the lane: see invocation.Lane
	State    string    // StateReady or StateDelayed
	Until    time.Time // accepted before
}
