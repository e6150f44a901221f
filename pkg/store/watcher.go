// File watcher.go has what a store reports.

package store

import (
	"time"

	"queue-worker/pkg/invocation"
)

// Watcher is notified of invocations that become ready, of due times, and of all that becomes of
// invocations. Its methods are called one at a time in the order of the commits, must not block
// and must not call the store.
type Watcher interface {
	// Ready reports invocations that are ready from now on. The slice is the store's again
	// afterwards.
	Ready(entries []Ready)
	// Due reports that nothing is due before t. It is called when t has become earlier.
	Due(t time.Time)
	// Changing reports what is about to be written, before any reader can see it, and returns
	// what is called when that is decided: with nil when all of it is durable, with an error when
	// nothing has changed. So there is no instant at which neither the store nor its watcher knows
	// of an invocation. The slice is the store's again after that call.
	Changing(changes []Change) (changed func(error))
}

// Change is what becomes of one invocation.
type Change struct {
	// Inv is the invocation as it is from then on, or as it was when it left the store. It must
	// not be changed.
	Inv *invocation.Invocation
	// Outcome is "" for one that was accepted or replayed. Dead letters that are dropped, and
	// those that the bounds of the dead set remove, are dropped; purged and cancelled ones are
	// cancelled.
	Outcome invocation.Outcome
	// Callback is the pending callback that was accepted together with the outcome; zero for none.
	Callback invocation.ID
}
