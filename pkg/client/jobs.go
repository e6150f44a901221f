// File jobs.go plans, applies and controls jobs.

package client

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// Order is what a job is asked to do. Either Filter says which letters are meant,
// or All that every one is.
type Order struct {
	Act    string // replay or drop
	Filter Filter
	All    bool
	Limit  int  // of letters, the oldest; 0: all that the filter means
	Rate   int  // a second; 0: the server's default
	Canary bool // these two and the share are for a replay
	Force  bool // also those that failed again after 3 replays
	// MaxFailedShare is the share, from 0 to 1, of the letters that are watched that
	// may fail again; nil: the server's default.
	MaxFailedShare *float64
}

// order is an Order as JSON.
type order struct {
	Act            string         `json:"act"`
	Filter         map[string]any `json:"filter,omitempty"`
	All            bool           `json:"all,omitempty"`
	Limit          int            `json:"limit,omitempty"`
	Rate           int            `json:"rate,omitempty"`
	Canary         bool           `json:"canary,omitempty"`
	Force          bool           `json:"force,omitempty"`
	MaxFailedShare *float64       `json:"max_failed_share,omitempty"`
}

// object is the filter as JSON: the same names, header as a list.
func (f Filter) object() map[string]any {
	o := map[string]any{}
	for name, values := range f.query() {
		if name == "header" {
			o[name] = values
			continue
		}
		o[name] = values[0]
	}
	return o
}

// PlanGroup is a part of what a job will act on.
type PlanGroup struct {
	Function string `json:"function"`
	Queue    string `json:"queue"`
	Reason   string `json:"reason"`
	Count    int    `json:"count"`
}

// Plan is what a job will act on.
type Plan struct {
	Count      int         `json:"count"`
	Bytes      int64       `json:"bytes"`
	Oldest     time.Time   `json:"oldest"`
	Newest     time.Time   `json:"newest"`
	Groups     []PlanGroup `json:"groups"`
	MoreGroups int         `json:"more_groups"` // that are not listed
	NeedsForce int         `json:"needs_force"`
	Duration   string      `json:"duration"` // at the rate
}

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

// Job is an act on many invocations.
type Job struct {
	Document    `json:"-"`
	ID          string         `json:"id"`
	Act         string         `json:"act"` // replay, drop or purge
	State       string         `json:"state"`
	StateReason string         `json:"state_reason"`
	Filter      map[string]any `json:"filter"`
	By          string         `json:"by"`
	Created     time.Time      `json:"created_at"`
	Applied     time.Time      `json:"applied_at"`
	Finished    time.Time      `json:"finished_at"`
	Expires     time.Time      `json:"expires_at"` // of a plan
	Rate        int            `json:"rate"`       // a second; 0: no limit
	Canary      bool           `json:"canary"`
	Force       bool           `json:"force"`
	Plan        Plan           `json:"plan"`
	Done        int            `json:"done"`
	Skipped     int            `json:"skipped"`      // left meanwhile, or needed force
	FailedAgain int            `json:"failed_again"` // of those that were watched
}

// Over reports whether the job makes no more progress on its own. One that has stopped
// can be resumed.
func (j *Job) Over() bool {
	return j.State == JobDone || j.State == JobCancelled || j.State == JobStopped
}

// Plan makes a job of an order and carries out nothing of it.
func (c *Client) Plan(ctx context.Context, o Order) (*Job, error) {
	q, err := act(http.MethodPost, "/v1/dead_set/plan", http.StatusCreated).with(order{
		Act: o.Act, Filter: o.Filter.object(), All: o.All, Limit: o.Limit, Rate: o.Rate,
		Canary: o.Canary, Force: o.Force, MaxFailedShare: o.MaxFailedShare,
	})
	if err != nil {
		return nil, err
	}
	j := &Job{}
	return j, c.read(ctx, q, j)
}

// Purge makes a job that removes what a function has pending. Queue may be empty
// for every one; state is ready, delayed or all.
func (c *Client) Purge(ctx context.Context, function, queue, state string) (*Job, error) {
	what := map[string]string{"state": state}
	if queue != "" {
		what["queue"] = queue
	}
	q, err := act(http.MethodPost, "/v1/functions/"+segment(function)+"/purge", http.StatusCreated).with(what)
	if err != nil {
		return nil, err
	}
	j := &Job{}
	return j, c.read(ctx, q, j)
}

// Jobs are a page of the jobs that the server remembers.
type Jobs struct {
	Document `json:"-"`
	Jobs     []Job  `json:"jobs"`
	Next     string `json:"next"`
}

func (p *Jobs) items() []Job { return p.Jobs }
func (p *Jobs) next() string { return p.Next }

// Jobs lists jobs, the latest first, at most limit of them (0: all).
func (c *Client) Jobs(ctx context.Context, limit int) iter.Seq2[*Jobs, error] {
	return pages[Jobs, Job](ctx, c, "/v1/jobs", nil, limit)
}

// Job reads one job.
func (c *Client) Job(ctx context.Context, id string) (*Job, error) {
	j := &Job{}
	return j, c.read(ctx, get("/v1/jobs/"+segment(id), nil), j)
}

// Apply begins what was planned. A plan can be applied once.
func (c *Client) Apply(ctx context.Context, id string) (*Job, error) {
	return c.steer(ctx, id, "apply")
}

// PauseJob lets a job rest until it is resumed.
func (c *Client) PauseJob(ctx context.Context, id string) (*Job, error) {
	return c.steer(ctx, id, "pause")
}

// ResumeJob resumes a job that was paused, or has stopped because of failures.
func (c *Client) ResumeJob(ctx context.Context, id string) (*Job, error) {
	return c.steer(ctx, id, "resume")
}

// CancelJob ends a job for good. What it has done stays done.
func (c *Client) CancelJob(ctx context.Context, id string) (*Job, error) {
	return c.steer(ctx, id, "cancel")
}

func (c *Client) steer(ctx context.Context, id, verb string) (*Job, error) {
	j := &Job{}
	path := "/v1/jobs/" + segment(id) + "/" + verb
	return j, c.read(ctx, act(http.MethodPost, path, http.StatusOK, http.StatusAccepted), j)
}
