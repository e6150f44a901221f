// File roles.go has the roles of a store: the parts of the contract, by who uses them.

package store

import (
	"context"
	"time"

	"queue-worker/pkg/invocation"
)

// Intake accepts invocations.
type Intake interface {
	// Accept takes an invocation in. It returns at once, unless too much is queued, and done is
	// called exactly once, where it must not block:
	//
	//	nil         the invocation is durable
	//	ErrSeen     its source is known, or with Once its id, and that invocation is durable
	//	*KeyError   its key is known
	//	others      it was not accepted
	Accept(a Accept, done func(error))
	// Claim notes that k stands for an invocation that is not in the store, because the caller has
	// published it instead. A *KeyError when the key is known.
	Claim(ctx context.Context, k Key, id invocation.ID, callID string) error
	// Unclaim forgets a key, if it is known with the same payload, sender and expiry.
	Unclaim(ctx context.Context, k Key) error
}

// Work is what a worker does with ready invocations.
type Work interface {
	// Take takes up to limit ready entries of a lane that come after the entry from; the zero Ready
	// stands for the lane's beginning. They are the caller's until they are settled or given back:
	// no other worker calls them.
	Take(ctx context.Context, lane invocation.Lane, from Ready, limit int) ([]Ready, error)
	// Give gives back entries that were taken and will not be called.
	Give(ctx context.Context, entries []Ready) error
	// ReadyLanes reads up to limit lanes that have anything ready, those of URLs or those of
	// functions, in the order of their queues and names, beginning after a lane; the zero Lane
	// stands for the beginning.
	ReadyLanes(ctx context.Context, from invocation.Lane, urls bool, limit int) ([]invocation.Lane, error)
	// LoadReady reads a ready invocation, in order to call it. ErrNotFound means that it is no
	// longer there, or in another place. What it returns is the caller's.
	LoadReady(ctx context.Context, r Ready) (Loaded, error)
	// Settle writes the next state of an invocation that was in flight, or is overdue, and its
	// callback, in one batch, and returns when that is durable. ErrNotFound means that it is no longer where At
	// says; nothing is written then, the callback neither. When ctx ends first, the settlement may
	// still be carried out, and what it points to must not be changed.
	Settle(ctx context.Context, st Settlement) error
	// Hold marks an invocation as in flight in a slot, numbered from 0. The slot is the caller's
	// until Release.
	Hold(slot int, id invocation.ID)
	// Release clears the in-flight marker of a slot.
	Release(slot int)
}

// Schedule makes delayed invocations ready, and finds those whose deadline has passed.
type Schedule interface {
	// Now is the time of the store, by which invocations become due.
	Now() time.Time
	// NextDue is a time before which MoveDue has nothing to move; far in the future when nothing
	// is delayed.
	NextDue() time.Time
	// MoveDue makes due invocations ready, at most one step of them, and reports whether more is
	// due already. It returns when the step is durable.
	MoveDue(ctx context.Context) (more bool, err error)
	// NextDeadline is a time before which Overdue lists nothing; far in the future when no pending
	// invocation has a deadline.
	NextDeadline() time.Time
	// Overdue lists pending invocations whose deadline has passed by Now, the earliest first, at
	// most one step of them, beginning after the last of an earlier list; the zero Deadline stands
	// for the beginning. Those that another worker has in flight are not in it; those of the caller
	// are. The caller settles them, wherever they are pending.
	Overdue(ctx context.Context, from Deadline) ([]Deadline, error)
}

// Lookup reads single invocations, and lists the pending ones.
type Lookup interface {
	// Load reads an invocation in any state and its QueueRequest, which is the caller's.
	// ErrNotFound when there is none with this id.
	Load(ctx context.Context, id invocation.ID) (*invocation.Invocation, []byte, error)
	// Get is Load without the QueueRequest.
	Get(ctx context.Context, id invocation.ID) (*invocation.Invocation, error)
	// FindCall returns what is known of a call id, which may come several times: the invocations
	// that are in the store, oldest first, and the results, youngest invocation first and without
	// their bodies. Of each there are at most limit, and all are of one moment.
	FindCall(ctx context.Context, callID string, limit int) ([]*invocation.Invocation, []*Result, error)
	// Pending reads up to limit pending invocations, beginning after the cursor of an earlier page
	// ("" for the start): those that are ready, lane by lane, then those that are delayed, by due
	// time. next is "" at the end; a page that has a next may be short or empty. What stays in its
	// place is listed exactly once. ErrBadCursor for a cursor that it did not give.
	Pending(ctx context.Context, f PendingFilter, cursor string, limit int) (page []*invocation.Invocation, next string, err error)
	// Due counts delayed invocations of the lanes of f by when they become due: the first count has
	// those due before the first of ends, and each other those due before its end and not before the
	// one before. ends ascend. It looks at a bounded number of delayed invocations, those that are due
	// first; whole is false when the counts are too small for that.
	Due(ctx context.Context, f PendingFilter, ends []time.Time) (counts []int, whole bool, err error)
}

// Letters reads and bounds the dead set.
type Letters interface {
	// Letters reads up to limit dead letters that pass f, oldest first, beginning after the cursor
	// of an earlier page ("" for the start). Of what is dead throughout the listing nothing is left
	// out and nothing comes twice. ErrBadCursor for a cursor that it did not give.
	Letters(ctx context.Context, f Filter, cursor string, limit int) (LetterPage, error)
	// Groups counts the dead letters that pass f, largest group first. Of too many groups the
	// smaller lanes are counted together, as OtherLanes.
	Groups(ctx context.Context, f Filter) ([]Group, error)
	// Expire drops dead letters that are beyond the bounds, at most one step of them, and returns
	// them. Call it again while it returns any.
	Expire(ctx context.Context, b Bounds) (Expired, error)
}

// Acts changes what is stored on behalf of operators and callers.
type Acts interface {
	// Act carries out a batch, and returns when it is durable what became of each id, in the order
	// of the ids. Ids that are not found fail by themselves: the others are acted upon and the note
	// is written all the same. An error means that nothing was done, ErrNote that it was because of
	// the note. When ctx ends first, the batch may still be carried out, all of it.
	Act(ctx context.Context, b Batch) ([]Taken, error)
	// Replay takes a dead letter out of the dead set and makes it ready at once. ErrNotFound when
	// no dead letter has this id; so a second replay does nothing. ErrSuperseded for a callback
	// whose origin was replayed since.
	Replay(ctx context.Context, id invocation.ID) error
	// Drop removes a dead letter for good. ErrNotFound when no dead letter has this id.
	Drop(ctx context.Context, id invocation.ID) error
	// Cancel removes an invocation that is ready, in flight or delayed, and returns it as it was.
	// It counts as dropped. ErrDead when it is in the dead set, ErrNotFound when nothing has this
	// id.
	Cancel(ctx context.Context, id invocation.ID) (*invocation.Invocation, error)
}

// Tallies counts what became of replayed invocations, for the jobs that replayed them.
type Tallies interface {
	// Tally returns the counts of a job as of the latest commit. The replay and the outcome of an
	// invocation are counted in the batch that writes them, for the job that is in its record.
	// False for a job that has replayed nothing, or was forgotten.
	Tally(ctx context.Context, job invocation.ID) (t Tally, known bool, err error)
	// DropTally forgets a job, and returns when that is durable. Outcomes that come later are not
	// counted.
	DropTally(ctx context.Context, job invocation.ID) error
}

// Notes keeps small texts.
type Notes interface {
	// PutNote writes a note, or deletes it when it has no Value, and returns when that is durable.
	// ErrNote when it is too long or one too many.
	PutNote(ctx context.Context, n Note) error
	// Notes returns a copy of all notes whose names begin with prefix.
	Notes(prefix string) map[string][]byte
}

// Results keeps results and ends of finished invocations.
type Results interface {
	// Result reads how an invocation ended. ErrNotFound when that is not known, or no longer.
	Result(ctx context.Context, id invocation.ID, withBody bool) (*Result, error)
	// End reads how an invocation left the store, when that is remembered: for outcome_ttl, and
	// as far as outcome_max_bytes allows. ErrNotFound when it is not, or no longer.
	End(ctx context.Context, id invocation.ID) (*End, error)
	// EndsOfCall reads how the invocations of a call id left the store, the latest end first and at
	// most limit of them.
	EndsOfCall(ctx context.Context, callID string, limit int) ([]*End, error)
	// Sweep removes expired idempotency keys, results and ends, at most one step of them, and
	// returns how many. Call it again while it returns any.
	Sweep(ctx context.Context) (int, error)
}

// Counts counts what is stored.
type Counts interface {
	// Stats returns the counts as of the latest commit.
	Stats() Stats
	// Lanes returns the counts of the lanes that have anything, but for those that Rest counts.
	Lanes() map[invocation.Lane]LaneStats
	// Rest counts by queue what is in lanes that are not counted one by one, because there are too
	// many lanes. It is empty in almost every store.
	Rest() map[string]LaneStats
	// Lane returns the counts of one lane, whether Lanes has it or not.
	Lane(ctx context.Context, lane invocation.Lane) (LaneStats, error)
	// Adopt counts lanes by themselves from now on, as far as there is room. It is for functions
	// that are known to exist: without it those that callers have invented could take up all
	// counts.
	Adopt(ctx context.Context, lanes []invocation.Lane) error
	// Oldest returns since when the invocation is ready that is first in a lane, those in flight
	// included. False when nothing is ready in it.
	Oldest(ctx context.Context, lane invocation.Lane) (since time.Time, ok bool)
	// Usage is what the store takes.
	Usage() Usage
}

// Condition reports whether a store can be relied upon.
type Condition interface {
	// Err returns nil while outcomes can be stored. While it returns an error no call may begin.
	Err() error
	// Full returns nil, or why nothing more may be accepted.
	Full() error
	// Health returns nil when all is well, or what an operator should know.
	Health() error
	// Failed returns nil, or the error after which only a restart can help.
	Failed() error
	// Failure is closed when Failed has an error: the process has to end then. Invocations in
	// flight count no crash.
	Failure() <-chan struct{}
	// Durable reports whether what is stored outlives the process.
	Durable() bool
	// Recovered returns the invocations that were in flight when the previous process crashed.
	Recovered() Recovered
}
