// File job.go has the documents of jobs.

package wire

import "time"

// What a job does.
const (
	ActReplay = "replay"
	ActDrop   = "drop"
	ActPurge  = "purge"
)

// States of a job.
const (
	JobPlanned   = "planned"
	JobRunning   = "running"
	JobWaiting   = "waiting" // for the outcome of a canary, or for live invocations; continues on its own
	JobPaused    = "paused"
	JobStopped   = "stopped" // by itself: too many failed again
	JobCancelled = "cancelled"
	JobDone      = "done"
)

// Job is a bulk replay, drop or purge.
type Job struct {
	ID          string `json:"id"`
	Act         string `json:"act"` // replay, drop or purge
	State       string `json:"state"`
	StateReason string `json:"state_reason,omitempty"`
	// Filter is a Filter, or the PurgeFilter of a purge. Readers find an object.
	Filter         any       `json:"filter"`
	Limit          int       `json:"limit,omitempty"`
	By             string    `json:"by"`
	Created        time.Time `json:"created_at"`
	Applied        time.Time `json:"applied_at,omitzero"`
	Finished       time.Time `json:"finished_at,omitzero"`
	Expires        time.Time `json:"expires_at,omitzero"` // of a plan
	Rate           int       `json:"rate"`                // dead letters per second, 0 for no limit
	Canary         bool      `json:"canary"`
	MaxFailedShare *float64  `json:"max_failed_share,omitempty"`
	Force          bool      `json:"force"`
	Plan           Plan      `json:"plan"`
	Done           int       `json:"done"`
	Skipped        int       `json:"skipped"` // left meanwhile, or needed force
	JobOutcomes
}

// JobOutcomes say what became of the invocations that a replay has made ready: each counts once,
// with its final outcome. All are nil where that is not known: of a plan, of a drop or purge, and
// of a replay that a version without these counts has begun.
type JobOutcomes struct {
	Replayed    *int `json:"replayed,omitempty"`
	Succeeded   *int `json:"succeeded,omitempty"`
	FailedAgain *int `json:"failed_again,omitempty"`
	Dropped     *int `json:"dropped,omitempty"` // given up and not kept
	Cancelled   *int `json:"cancelled,omitempty"`
	Pending     *int `json:"pending,omitempty"` // without a final outcome so far
}

// Known reports whether there are counts.
func (o *JobOutcomes) Known() bool { return o.Pending != nil }

// Over reports whether the job makes no more progress on its own. One that has stopped can
// be resumed.
func (j *Job) Over() bool {
	return j.State == JobDone || j.State == JobCancelled || j.State == JobStopped
}

// Plan is what a job will affect.
type Plan struct {
	Count      int         `json:"count"`
	Bytes      int64       `json:"bytes"`
	Oldest     time.Time   `json:"oldest,omitzero"`
	Newest     time.Time   `json:"newest,omitzero"`
	Groups     []PlanGroup `json:"groups"`
	MoreGroups int         `json:"more_groups,omitempty"` // that are not listed
	NeedsForce int         `json:"needs_force"`
	Duration   string      `json:"duration"` // at the rate
	// FirstWait is the longest wait before a first retry of what is replayed; "" when not known.
	FirstWait string `json:"first_wait,omitempty"`
}

// PlanGroup is a part of what a job will affect.
type PlanGroup struct {
	Function string `json:"function"`
	Queue    string `json:"queue"`
	Reason   string `json:"reason,omitempty"` // not of a purge
	Count    int    `json:"count"`
}

// PurgeFilter is what a purge takes.
type PurgeFilter struct {
	Function string `json:"function"`
	Queue    string `json:"queue,omitempty"`
	State    string `json:"state"`
}

// JobList are a page of the jobs that the server remembers, the newest first.
type JobList struct {
	Jobs []Job  `json:"jobs"`
	Next string `json:"next,omitempty"`
}

// PlanRequest asks for a plan. Either Filter says which dead letters are meant, or All says
// that every one is.
type PlanRequest struct {
	Act            Text     `json:"act"` // replay or drop
	Filter         Filter   `json:"filter,omitzero"`
	All            bool     `json:"all,omitzero"`
	Limit          *int     `json:"limit,omitempty"` // of the oldest
	Rate           *int     `json:"rate,omitempty"`  // dead letters per second
	Canary         bool     `json:"canary,omitzero"`
	MaxFailedShare *float64 `json:"max_failed_share,omitempty"`
	Force          bool     `json:"force,omitzero"`
}

// PurgeRequest asks for the plan of a purge.
type PurgeRequest struct {
	Queue Text `json:"queue,omitzero"`
	State Text `json:"state"` // ready, delayed or all
}
