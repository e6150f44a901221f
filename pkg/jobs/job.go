// File job.go has a job as its users see it.

package jobs

import (
	"encoding/json"
	"errors"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Errors that callers branch on.
var (
	// ErrNotFound: no job has this id.
	ErrNotFound = errors.New("no such job")
	// ErrApplied: the job is no plan any more.
	ErrApplied = errors.New("the job has been applied already")
	// ErrExpired: the plan was not applied in time.
	ErrExpired = errors.New("the plan has expired")
	// ErrNotApplied: a plan can be applied or cancelled, nothing else.
	ErrNotApplied = errors.New("the job is a plan that was not applied")
	// ErrOver: the job is done or cancelled.
	ErrOver = errors.New("the job has finished")
	// ErrTooMany: too many jobs are planned or running.
	ErrTooMany = errors.New("too many jobs are planned or running")
	// ErrBusy: too many plans are being made just now.
	ErrBusy = errors.New("too many plans are being made")
)

// Act is what a job does to each member of its set.
type Act string

// The acts.
const (
	Replay Act = "replay" // a dead letter is made ready at once
	Drop   Act = "drop"   // a dead letter is removed for good
	Purge  Act = "purge"  // a pending invocation is removed; those in flight are not
)

// State is how far a job is.
type State string

// The states.
const (
	Planned   State = "planned"
	Running   State = "running"
	Waiting   State = "waiting" // running, but waiting for the reason given; continues on its own
	Paused    State = "paused"
	Stopped   State = "stopped" // because too many failed again; resume continues
	Cancelled State = "cancelled"
	Done      State = "done"
)

// States lists the closed set.
func States() []State {
	return []State{Planned, Running, Waiting, Paused, Stopped, Cancelled, Done}
}

// IsOver reports whether nothing follows any more.
func (s State) IsOver() bool { return s == Cancelled || s == Done }

// Bounds and defaults of a request.
const (
	DefaultRate  = 10     // letters per second of a replay
	MaxRate      = 10_000 // letters per second
	DefaultShare = 0.2
	MaxFilter    = 16 << 10 // bytes of a filter as it is written down
)

// Request asks for a job.
type Request struct {
	Act Act
	// Filter says which dead letters, in the form that Options.Filter reads. It
	// must mean the same whenever it is read: no ages, but times. Not for Purge.
	Filter json.RawMessage
	// Pending says which invocations; for Purge only.
	Pending Pending
	// Limit takes the oldest only; 0 takes all.
	Limit int
	// Rate is in letters per second, at most MaxRate. 0 is DefaultRate for a
	// replay, and as fast as the store goes for the other acts.
	Rate int
	// Canary replays 1, then 10, then the rest, and waits for the outcome of each
	// of the first two. For Replay only.
	Canary bool
	// MaxFailedShare stops the job when more than this share (0 to 1) of those that
	// it watches failed again; nil is DefaultShare with Canary, and no limit without.
	MaxFailedShare *float64
	// Force takes also those that died again after three replays. For Replay only.
	Force bool
	// By is the operator who planned it, for the log and for listings.
	By string
}

// Pending says which pending invocations a purge takes.
type Pending struct {
	Function string `json:"function"`        // the lane's name
	Queue    string `json:"queue,omitempty"` // "" for any
	State    string `json:"state,omitempty"` // "ready", "delayed", or "" for both
}

// Job is a job as it is seen at one moment.
type Job struct {
	ID      invocation.ID   `json:"id"`
	Act     Act             `json:"act"`
	State   State           `json:"state"`
	Reason  string          `json:"why,omitempty"` // why it is in this state, "" when that is plain
	Filter  json.RawMessage `json:"filter,omitempty"`
	Pending Pending         `json:"pending,omitzero"`
	By      string          `json:"by,omitempty"`
	Limit   int             `json:"limit,omitempty"`

	Created  time.Time `json:"created"`
	Applied  time.Time `json:"applied,omitzero"`  // zero while planned
	Finished time.Time `json:"finished,omitzero"` // zero unless over
	Expires  time.Time `json:"expires,omitzero"`  // of a plan; zero once applied

	Rate           int      `json:"rate,omitempty"` // 0 for no limit
	Canary         bool     `json:"canary,omitempty"`
	MaxFailedShare *float64 `json:"max_failed_share,omitempty"`
	Force          bool     `json:"force,omitempty"`

	Plan Plan `json:"plan"`
	Progress
	// Counted: the store counts what becomes of all that the job replays.
	Counted bool `json:"counted,omitempty"`
	// Tally are these counts; nil where they are not known.
	Tally *store.Tally `json:"-"`
}

// Progress is what a job has done.
type Progress struct {
	Done    int `json:"done"`    // replayed, dropped or purged
	Skipped int `json:"skipped"` // left the set meanwhile, or need force
	Failed  int `json:"failed"`  // of those that were watched, dead again
}

// Plan is what was found at the moment of planning.
type Plan struct {
	Count      int           `json:"count"`
	Bytes      int64         `json:"bytes"`           // of the QueueRequests
	Oldest     time.Time     `json:"oldest,omitzero"` // of letters by their death, of pending ones by their acceptance
	Newest     time.Time     `json:"newest,omitzero"`
	Groups     []Group       `json:"groups,omitempty"` // largest first, at most MaxGroups
	MoreGroups int           `json:"more_groups,omitempty"`
	NeedsForce int           `json:"needs_force"`
	Duration   time.Duration `json:"duration"` // at the rate; 0 without one
	// FirstWait is the longest wait before a first retry of what is replayed; 0 when not known.
	FirstWait time.Duration `json:"first_wait,omitempty"`
}

// MaxGroups bounds the groups that a plan names; it counts the others.
const MaxGroups = 50

// Group is a part of a plan.
type Group struct {
	Function string            `json:"function"` // the lane's name
	Queue    string            `json:"queue"`
	Reason   invocation.Reason `json:"reason,omitempty"` // "" for what is not dead
	Count    int               `json:"count"`
}
