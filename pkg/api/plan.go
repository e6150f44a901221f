// File plan.go plans jobs: POST /v1/dead_set/plan and POST /v1/functions/{fn}/purge. A
// plan changes nothing; it is a job that can be applied.

package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/jobs"
	"queue-worker/pkg/store"
)

// planTimeout is how long the counting of a plan may take. It is well within
// what the server gives an answer.
const planTimeout = 20 * time.Second

// maxJobLimit bounds the limit of a job; it is more than any dead set has.
const maxJobLimit = 1 << 31

// planRequest is the body of a plan. Either Filter says which letters are meant,
// or All says that everything is.
type planRequest struct {
	Act            word       `json:"act"` // replay or drop
	Filter         filterJSON `json:"filter"`
	All            bool       `json:"all"`
	Limit          *int       `json:"limit"` // the oldest
	Rate           *int       `json:"rate"`  // letters per second
	Canary         bool       `json:"canary"`
	MaxFailedShare *float64   `json:"max_failed_share"`
	Force          bool       `json:"force"`
}

var (
	problemEverything = &problem{
		status: http.StatusBadRequest, Text: "no filter", Reason: badRequest,
		Hint: `Give at least one key of the filter, or "all": true for every dead letter.`,
	}
	problemAllAndFilter = &problem{
		status: http.StatusBadRequest, Text: "both a filter and all", Reason: badRequest,
		Hint: `Give either a filter or "all": true.`,
	}
	problemPlanSlow = &problem{
		status: http.StatusServiceUnavailable, wait: retryAfter, Text: "counting takes too long", Reason: busy,
		Hint: "Nothing was changed. Narrow the filter by function or since; a header filter has to read every message.",
	}
)

func (a *api) planDead(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r); err != nil {
		return err
	}
	var body planRequest
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	q, err := body.request(a.Names, time.Now())
	if err != nil {
		return err
	}
	return a.plan(w, r, q)
}

// plan makes the plan of a request and answers with it.
func (a *api) plan(w http.ResponseWriter, r *http.Request, q jobs.Request) error {
	q.By = callerOf(r.Context())
	ctx, cancel := context.WithTimeout(r.Context(), planTimeout)
	defer cancel()
	job, err := a.Jobs.Plan(ctx, q)
	if errors.Is(err, context.DeadlineExceeded) {
		return problemPlanSlow
	}
	if err != nil {
		return problemOfJob(err)
	}
	return writeJSON(w, http.StatusCreated, a.jobView(job))
}

// request is what the body asks for.
func (b *planRequest) request(names invocation.Names, now time.Time) (jobs.Request, error) {
	q := jobs.Request{Act: jobs.Act(b.Act), Canary: b.Canary, MaxFailedShare: b.MaxFailedShare, Force: b.Force}
	empty := b.Filter.isEmpty()
	switch {
	case q.Act != jobs.Replay && q.Act != jobs.Drop:
		return q, refuse("act is not one that a plan can have", `"replay" or "drop"; pending invocations are purged at /v1/functions/{fn}/purge`)
	case empty && !b.All:
		return q, problemEverything
	case !empty && b.All:
		return q, problemAllAndFilter
	case q.Act == jobs.Drop && (b.Canary || b.Force || b.MaxFailedShare != nil):
		return q, refuse("canary, max_failed_share and force are for a replay", "leave them out: a drop takes whatever the filter means")
	case b.MaxFailedShare != nil && (*b.MaxFailedShare < 0 || *b.MaxFailedShare > 1):
		return q, refuse("max_failed_share is not a share", "a number from 0 to 1; 0.2 stops when more than every fifth fails again")
	}
	var err error
	if q.Limit, err = countIn("limit", b.Limit, maxJobLimit); err != nil {
		return q, err
	}
	if q.Rate, err = countIn("rate", b.Rate, jobs.MaxRate); err != nil {
		return q, err
	}
	q.Filter, err = b.Filter.written(names, now)
	return q, err
}

// countIn is a whole number from 1 to most, or 0 when it is absent.
func countIn(name string, n *int, most int) (int, error) {
	switch {
	case n == nil:
		return 0, nil
	case *n < 1 || *n > most:
		return 0, refuse(name+" is not in its range", "a whole number from 1 to "+strconv.Itoa(most))
	}
	return *n, nil
}

// written is a filter in the form that a job keeps, with times in place of ages.
func (f filterJSON) written(names invocation.Names, now time.Time) (json.RawMessage, error) {
	if _, err := f.filter(names, now); err != nil {
		return nil, err
	}
	b, err := json.Marshal(f.fixed(now))
	if err == nil && len(b) > jobs.MaxFilter {
		err = refuse("the filter is too long", "all its values together have at most 16 KiB")
	}
	return b, err
}

// FilterReader reads filters that jobs have kept.
func FilterReader(names invocation.Names) func(json.RawMessage) (store.Filter, error) {
	return func(b json.RawMessage) (store.Filter, error) {
		var f filterJSON
		if err := decodeJSON(b, &f); err != nil {
			return store.Filter{}, err
		}
		return f.filter(names, time.Now())
	}
}

// purgeRequest is the body of a purge.
type purgeRequest struct {
	Queue word `json:"queue,omitzero"`
	State word `json:"state"` // ready, delayed or all
}

func (a *api) planPurge(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r); err != nil {
		return err
	}
	lane, err := readFunction(r.PathValue("fn"), a.Names)
	if err != nil {
		return err
	}
	var body purgeRequest
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	p := jobs.Pending{Function: lane, Queue: string(body.Queue)}
	switch body.State {
	case "all":
	case store.StateReady, store.StateDelayed:
		p.State = string(body.State)
	default:
		return refuse("state is not one of the states", `"ready", "delayed" or "all", in a JSON body`)
	}
	return a.plan(w, r, jobs.Request{Act: jobs.Purge, Pending: p})
}
