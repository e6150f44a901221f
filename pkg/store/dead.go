// File dead.go has what is asked of the dead set: filters, groups and bounds.

package store

import (
	"context"
	"errors"
	"time"

	"queue-worker/pkg/invocation"
)

// Bounds limits the dead set. Zero values are no limit.
type Bounds struct {
	MaxAge   time.Duration
	MaxBytes int64 // QueueRequests and answers of all dead letters together
	// Known reports whether a function exists as far as is known. It may take
	// time: Expire calls it for a bounded number of functions. Nil: none is known.
	Known func(ctx context.Context, function string) bool
}

// Expired is what one step of Expire has removed.
type Expired struct {
	Class   string // of the letters that were beyond MaxBytes; "" for those beyond MaxAge
	Letters []*invocation.Invocation
}

// Classes of letters other than those of one known function. They are no names of
// functions, which are classes of their own over all queues.
const (
	ClassCallbacks = "(callbacks)"         // the lanes of all callback hosts together
	ClassUnknown   = "(unknown functions)" // all functions that are not known together
)

// ManyReplays is the number of replays from which on a letter that died again is
// counted apart: it is not likely to succeed the next time.
const ManyReplays = 3

// Group counts the dead letters of one lane with the same reason and the same
// status of the last attempt.
type Group struct {
	Queue, Function string // the lane
	Reason          invocation.Reason
	Status          int // 0 for dead letters without an attempt
	Count           int
	Bytes           int64     // of their QueueRequests and answers
	First, Last     time.Time // when the oldest and the youngest died
	Replayed        int       // those that were replayed ManyReplays times or more, and superseded callbacks
}

// OtherLanes is the Function of the groups of all lanes beyond mostGroups.
const OtherLanes = "_other"

// ErrBadCursor is returned for a cursor that the listing did not give.
var ErrBadCursor = errors.New("not a cursor of this listing")

// Filter says which dead letters are meant. What is empty lets everything pass.
type Filter struct {
	Queue        string
	Function     string // name of the lane: see invocation.Lane
	Reasons      []invocation.Reason
	Statuses     []int     // of the last attempt; 0 for letters without any
	Since, Until time.Time // Since <= DiedAt < Until; zero for no bound
	CallID       string
	// Match is asked about what has passed the rest, with the QueueRequest, which
	// is valid during the call only. A letter whose QueueRequest cannot be read
	// does not pass. Match must not call the store.
	Match func(inv *invocation.Invocation, raw []byte) bool
	// Newest lists the latest deaths first. It changes the order of Letters and of its cursors,
	// not what passes.
	Newest bool
}

// LetterPage is one page of a listing. It may be short or empty and yet have a
// Next: one page looks at a bounded number of letters. Next is "" at the end.
type LetterPage struct {
	Letters []*invocation.Invocation
	Next    string
}
