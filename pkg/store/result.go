// File result.go has results: the outcomes of invocations, kept for a time after they have
// finished.

package store

import (
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
)

// Result is how an invocation ended, and what the function answered at last. It
// is kept until Expires.
type Result struct {
	Inv       *invocation.Invocation // its record at the end
	Outcome   invocation.Outcome     // any but retry
	Status    int                    // of the last answer, 0 for none
	Header    http.Header
	Body      []byte
	Truncated bool // Body is only the beginning
	At        time.Time
	Expires   time.Time
}
