// File outcome.go has ends: what is remembered of an invocation that has left the store.

package store

import (
	"time"

	"queue-worker/pkg/invocation"
)

// End is how an invocation ended. Of one that is read from a store, Inv has only what may be kept
// for long: ids, kind, function, queue, times, retries, replays and the latest attempt, with the
// earlier ones counted in Omitted. There is no header, body or URL.
type End struct {
	Inv     *invocation.Invocation // it is not changed any more
	Outcome invocation.Outcome     // done, dropped or cancelled
	At      time.Time
}
