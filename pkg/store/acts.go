// File acts.go has what operators do with stored invocations, one at a time or many in one batch.

package store

import (
	"errors"
	"time"

	"queue-worker/pkg/invocation"
)

// ErrDead is returned for a dead letter, which can be dropped but not cancelled.
var ErrDead = errors.New("dead already")

// ErrSuperseded is returned for a callback whose origin was replayed since it was written. Batch.Force
// replays it all the same.
var ErrSuperseded = errors.New("superseded by a replay of its origin")

// Verb is what is done with the invocations of a Batch.
type Verb uint8

const (
	// ActReplay takes dead letters out of the dead set and makes them ready at once. Of each the
	// callbacks that its outcomes so far have sent are superseded: pending ones leave the store as
	// cancelled, with the reason superseded, one in flight too, whose call is not ended; dead ones
	// stay and are marked.
	ActReplay Verb = iota
	// ActDrop removes dead letters for good.
	ActDrop
	// ActCancel removes what is ready or delayed. It counts as dropped.
	ActCancel
)

// MaxActs is how many ids a Batch may have. A batch holds up all others while it
// is staged.
const MaxActs = 1000

// Batch is an act on many invocations, and what its actor has to remember. On
// disk there is either all of it or nothing.
type Batch struct {
	Verb Verb
	IDs  []invocation.ID // an id that comes twice counts once
	Note *Note           // nil for none
	// Job is on whose behalf ActReplay makes them ready: it is kept in their records, and what
	// becomes of them is counted for it. Zero for none.
	Job invocation.ID
	// Force lets ActReplay take callbacks that are superseded.
	Force bool
	// Before leaves alone dead letters that died at or after it; zero for none. So
	// one that was read, replayed by another operator and is dead again is not taken.
	Before time.Time
	// Except says what ActCancel leaves alone, such as calls in flight; nil
	// for nothing. It is called on the committer's goroutine, must not block and
	// must not call the store.
	Except func(invocation.ID) bool
}

// Taken is what became of one invocation of a Batch.
type Taken struct {
	ID invocation.ID
	// Inv is the invocation: as it is now when it was replayed, as it was when it
	// has left the store.
	Inv *invocation.Invocation
	// Superseded are the pending callbacks that its replay has cancelled.
	Superseded []*invocation.Invocation
	// Err is nil, ErrSuperseded, ErrNotFound for what is not there or not in the state that the
	// verb needs, or anything else for what cannot be read.
	Err error
}
