// Package store keeps every accepted invocation that is pending or dead. It is a
// key-value store of Pebble in the process, under a folder or, without one, in
// memory; keys.go shows the layout.
//
// One committer writes. A change of state of an invocation is one part of one batch,
// operations that arrive meanwhile share a batch, and success is reported only when the
// batch is on disk. So an invocation is in one place at any instant, and no crash leaves
// it in two or in none.
//
// With what, how often and when an invocation is called is decided elsewhere.
// The package knows no NATS, no HTTP and no function.
package store

import (
	"errors"
	"time"

	"queue-worker/pkg/invocation"
)

// Errors that callers branch on.
var (
	// ErrSeen: a message with this source, or this very invocation, has been accepted before.
	ErrSeen = errors.New("seen before")
	// ErrNotFound: nothing with this id is there, or not in the state asked for.
	ErrNotFound = errors.New("not found")
	// ErrFailed: the disk has failed in a way that only a restart can heal.
	ErrFailed = errors.New("store failed")
	// ErrClosed: the store is closed.
	ErrClosed = errors.New("store closed")
	// ErrLocked: another process has the folder.
	ErrLocked = errors.New("in use by another process")
	// ErrNewer: the folder was written by a newer version of this program.
	ErrNewer = errors.New("written by a newer version of this program")
)

// Door is the source of a message, by which a redelivery is recognised.
// The timestamp is part of it because a NATS Streaming server that keeps its
// messages in memory begins again at sequence 1 after a restart.
type Door struct {
	Cluster, Channel string
	Sequence         uint64
	Timestamp        int64 // Unix time in nanoseconds, given by the server
}

// Accept is an invocation to be accepted. The caller fills Inv: its
// ID, which must be new, and either Pending with Since (when it is to be called)
// or Dead with its reason. Raw is the QueueRequest as it came; the store sets
// Inv.Size to its length, and neither may change afterwards.
type Accept struct {
	Inv  *invocation.Invocation
	Raw  []byte
	Door *Door // nil when it is not from a message
	Key  *Key  // nil for none; when it is known, nothing is taken: see KeyError
	// Request is what Raw decodes to, for who calls it soon; nil when the caller did not
	// decode it. It is the store's from then on.
	Request *invocation.Request
	// Once makes an id that is in the store already ErrSeen.
	Once bool
}

// Ready says where a ready invocation is: its lane, and its place in it.
type Ready struct {
	Lane  invocation.Lane
	Since time.Time
	ID    invocation.ID
}

// Settlement is the next state of an invocation that was in flight, and the
// callback that carries its result. Both are written in one batch. By its Outcome
//
//	done                it leaves the store
//	retry               it is ready or delayed, due at Inv.Since; Inv.State becomes Pending
//	dead                it is in the dead set, with Inv.Reason and Inv.DiedAt; Inv.State becomes Dead
//	dropped, cancelled  it leaves the store and is counted as dropped
type Settlement struct {
	At       Ready // where it was taken from
	Outcome  invocation.Outcome
	Inv      *invocation.Invocation // its record as it will be; of one that leaves the store only the identity counts
	Callback *Accept                // nil for none; only its Inv and Raw count
	// Result is what is remembered of Inv after its end, in place of an older one;
	// nil for nothing. Where it has no Inv, that of the settlement is taken.
	Result *Result
}

// Watcher is notified of invocations that become ready, and of due times. Both methods are called on the
// committer's goroutine in the order of the commits, must not block and must not
// call the store.
type Watcher interface {
	// Ready reports invocations that are ready from now on. The slice is the
	// store's again afterwards.
	Ready([]Ready)
	// Due reports that nothing is due before t. It is called when t has become earlier.
	Due(t time.Time)
}
