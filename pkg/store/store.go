// Package store is the contract of the store, which keeps every accepted invocation that is
// pending or dead: its types, errors and roles. An engine implements it: pkg/store/embedded on
// Pebble. What an engine has to do is held by pkg/store/storetest.
//
// A change of state of an invocation is atomic, together with all that belongs to it, and success
// is reported only when it is durable. So an invocation is in one place at any instant, and no
// crash leaves it in two or in none.
//
// The package has no engine, decides neither when nor how often an invocation is called, and knows
// no NATS and no HTTP.
package store

import "errors"

// Store is all of the contract. A package that uses a store takes the roles that it needs. All methods
// may be called by many goroutines at once.
type Store interface {
	Intake
	Work
	Schedule
	Lookup
	Letters
	Acts
	Tallies
	Notes
	Results
	Counts
	Condition
	Portable

	// Close finishes what was submitted and closes. It may be called more than once. After it
	// every method that can return an error returns ErrClosed.
	Close() error
}

// Errors that callers branch on.
var (
	// ErrSeen: a message with this source, or this very invocation, has been accepted before.
	ErrSeen = errors.New("seen before")
	// ErrNotFound: nothing with this id is there, or not in the state asked for.
	ErrNotFound = errors.New("not found")
	// ErrFailed: the disk has failed in a way that only a restart can heal.
	ErrFailed = errors.New("store failed")
	// ErrUnavailable: the server that has the store cannot be used just now.
	ErrUnavailable = errors.New("store unavailable")
	// ErrClosed: the store is closed.
	ErrClosed = errors.New("store closed")
	// ErrLocked: another process has the folder.
	ErrLocked = errors.New("in use by another process")
	// ErrNewer: the folder was written by a newer version of this program.
	ErrNewer = errors.New("written by a newer version of this program")
)

// LockedError is an ErrLocked that names the process that has the folder.
type LockedError struct {
	Holder string // "" when it is unknown
}

// Error implements error.
func (e *LockedError) Error() string {
	if e.Holder == "" {
		return ErrLocked.Error()
	}
	return ErrLocked.Error() + " (" + e.Holder + ")"
}

// Unwrap returns ErrLocked.
func (e *LockedError) Unwrap() error { return ErrLocked }
