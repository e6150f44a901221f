// File work.go has what workers do with ready invocations.

package store

import (
	"time"

	"queue-worker/pkg/invocation"
)

// Ready says where a ready invocation is: its lane, and its place in it.
type Ready struct {
	Lane  invocation.Lane
	Since time.Time
	ID    invocation.ID
}

// Deadline is the time after which a pending invocation is not called any more.
type Deadline struct {
	At time.Time
	ID invocation.ID
}

// Settlement is the next state of an invocation that was in flight, or whose deadline has passed
// while it was pending, and the callback that carries its result. Both are written in one batch. By its Outcome
//
//	done                it leaves the store
//	retry               it is ready or delayed, due at Inv.Since; Inv.State becomes Pending
//	dead                it is in the dead set, with Inv.Reason and Inv.DiedAt; Inv.State becomes Dead
//	dropped, cancelled  it leaves the store and is counted as dropped
type Settlement struct {
	At      Ready // where it was taken from
	Outcome invocation.Outcome
	// Inv is its record as it will be, with the deadline that it was read with, or an earlier one.
	// Of one that leaves the store what an End has of it, the deadline and the job count.
	Inv *invocation.Invocation
	// Answer replaces the one of Inv where that stays in the store; nil for none. Until then Inv has the
	// one that it was loaded with.
	Answer   *invocation.Answer
	Callback *Accept // nil for none; only its Inv and Raw count
	// Result is what is remembered of Inv after its end, in place of an older one;
	// nil for nothing. Where it has no Inv, that of the settlement is taken.
	Result *Result
}

// Loaded is a ready invocation with its request. It is the caller's.
type Loaded struct {
	Inv *invocation.Invocation
	Raw []byte
	// Request is what Raw decodes to; nil when it has to be decoded.
	Request *invocation.Request
}

// PoisonLimit is how many crashes an invocation may have been in flight at before
// it is buried without a call.
const PoisonLimit = 5

// Recovered is the result of the markers of the previous process.
type Recovered struct {
	InFlight int                      // invocations that were in flight at the crash
	Poisoned []*invocation.Invocation // those of them that went to the dead set; the others are ready again
}
