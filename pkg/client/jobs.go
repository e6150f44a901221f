// File jobs.go plans, applies and controls jobs.

package client

import (
	"context"
	"iter"
	"net/http"

	"queue-worker/pkg/wire"
)

// Job is a bulk replay, drop or purge.
type Job struct {
	Document `json:"-"`
	wire.Job
}

// Plan makes a job and carries out nothing of it.
func (c *Client) Plan(ctx context.Context, o wire.PlanRequest) (*Job, error) {
	q, err := act(http.MethodPost, "/v1/dead_set/plan", http.StatusCreated).with(o)
	if err != nil {
		return nil, err
	}
	j := &Job{}
	return j, c.read(ctx, q, j)
}

// Purge makes a job that removes what a function has pending. Queue may be empty
// for every one; state is ready, delayed or all.
func (c *Client) Purge(ctx context.Context, function, queue, state string) (*Job, error) {
	what := wire.PurgeRequest{Queue: wire.Text(queue), State: wire.Text(state)}
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
	wire.JobList
}

func (p *Jobs) items() []wire.Job { return p.Jobs }
func (p *Jobs) next() string      { return p.Next }

// Jobs lists jobs, the latest first, at most limit of them (0: all).
func (c *Client) Jobs(ctx context.Context, limit int) iter.Seq2[*Jobs, error] {
	return pages[Jobs, wire.Job](ctx, c, "/v1/jobs", nil, limit)
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
