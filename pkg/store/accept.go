// File accept.go has what is accepted.

package store

import (
	"fmt"
	"time"

	"queue-worker/pkg/invocation"
)

// Source is the source of a message, by which a redelivery is recognised.
// The timestamp is part of it because a NATS Streaming server that keeps its
// messages in memory begins again at sequence 1 after a restart.
type Source struct {
	Cluster, Channel string
	Sequence         uint64
	Timestamp        int64 // Unix time in nanoseconds, given by the server
}

// Accept is an invocation to be accepted. The caller fills Inv: its
// ID, which must be new, and either Pending with Since (when it is to be called)
// or Dead with its reason. Raw is the QueueRequest as it came; the store sets
// Inv.Size to its length, and neither may change afterwards.
type Accept struct {
	Inv    *invocation.Invocation
	Raw    []byte
	Source *Source // nil when it is not from a message
	Key    *Key    // nil for none; when it is known, nothing is taken: see KeyError
	// Request is what Raw decodes to, for who calls it soon; nil when the caller did not
	// decode it. It is the store's from then on.
	Request *invocation.Request
	// Once makes an id that is in the store already ErrSeen.
	Once bool
}

// Key is an Idempotency-Key of one function, known until it expires.
type Key struct {
	Hash    [32]byte  // of the key and what it is meant for
	Payload [32]byte  // digest of what was sent with it
	Sender  [32]byte  // digest of the rest that has to be equal: method, callback, credentials
	Expires time.Time // first instant at which it is forgotten
}

// KeyError is returned for a key that is known already: nothing was taken.
type KeyError struct {
	ID     invocation.ID // what was taken under the key
	CallID string
	Same   bool // it was the same payload, of the same sender
}

func (e *KeyError) Error() string {
	if e.Same {
		return fmt.Sprintf("the idempotency key was used for %s", e.ID)
	}
	return fmt.Sprintf("the idempotency key was used for %s, with another payload", e.ID)
}
