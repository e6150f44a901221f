// File plan.go plans jobs: POST /v1/dead_set/plan and POST /v1/functions/{fn}/purge. A
// plan changes nothing; it is a job that can be applied.

package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/jobs"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// planTimeout is how long the counting of a plan may take. It is well within
// what the server gives an answer.
const planTimeout = 20 * time.Second

// maxJobLimit bounds the limit of a job; it is more than any dead set has.
const maxJobLimit = 1 << 31

var (
	problemEverything = respond.Refuse("no filter",
		`Give at least one key of the filter, or "all": true for every dead letter.`)
	problemAllAndFilter = respond.Refuse("both a filter and all",
		`Give either a filter or "all": true.`)
	problemPlanSlow = respond.Later(wire.Busy, "counting takes too long",
		"Nothing was changed. Narrow the filter by function or since; a header filter has to read every message.")
)

// PlanDead plans a replay or drop of dead letters.
func (a *Admin) PlanDead(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r); err != nil {
		return err
	}
	var body wire.PlanRequest
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	q, err := jobRequest(&body, a.Names, time.Now())
	if err != nil {
		return err
	}
	return a.plan(w, r, q)
}

// plan makes the plan of a request and answers with it.
func (a *Admin) plan(w http.ResponseWriter, r *http.Request, q jobs.Request) error {
	job, err := a.planned(r, q)
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusCreated, a.jobView(job))
}

// planned makes the plan of a request.
func (a *Admin) planned(r *http.Request, q jobs.Request) (jobs.Job, error) {
	q.By = callerOf(r.Context())
	ctx, cancel := context.WithTimeout(r.Context(), planTimeout)
	defer cancel()
	job, err := a.Jobs.Plan(ctx, q)
	if errors.Is(err, context.DeadlineExceeded) {
		return job, problemPlanSlow
	}
	return job, problemOfJob(err)
}

// jobRequest is what the body asks for.
func jobRequest(b *wire.PlanRequest, names invocation.Names, now time.Time) (jobs.Request, error) {
	q := jobs.Request{Act: jobs.Act(b.Act), Canary: b.Canary, MaxFailedShare: b.MaxFailedShare, Force: b.Force}
	empty := b.Filter.IsZero()
	switch {
	case q.Act != jobs.Replay && q.Act != jobs.Drop:
		return q, respond.Refuse("act is not one that a plan can have", `"replay" or "drop"; pending invocations are purged at /v1/functions/{fn}/purge`)
	case empty && !b.All:
		return q, problemEverything
	case !empty && b.All:
		return q, problemAllAndFilter
	case q.Act == jobs.Drop && (b.Canary || b.Force || b.MaxFailedShare != nil):
		return q, respond.Refuse("canary, max_failed_share and force are for a replay", "leave them out: a drop takes whatever the filter means")
	case b.MaxFailedShare != nil && (*b.MaxFailedShare < 0 || *b.MaxFailedShare > 1):
		return q, respond.Refuse("max_failed_share is not a share", "a number from 0 to 1; 0.2 stops when more than every fifth fails again")
	}
	var err error
	if q.Limit, err = countIn("limit", b.Limit, maxJobLimit); err != nil {
		return q, err
	}
	if q.Rate, err = countIn("rate", b.Rate, jobs.MaxRate); err != nil {
		return q, err
	}
	q.Filter, err = writtenFilter(b.Filter, names, now)
	return q, err
}

// countIn is a whole number from 1 to most, or 0 when it is absent.
func countIn(name string, n *int, most int) (int, error) {
	switch {
	case n == nil:
		return 0, nil
	case *n < 1 || *n > most:
		return 0, respond.Refuse(name+" is not in its range", "a whole number from 1 to "+strconv.Itoa(most))
	}
	return *n, nil
}

// writtenFilter is a filter in the form that a job keeps, with times in place of ages.
func writtenFilter(f wire.Filter, names invocation.Names, now time.Time) (json.RawMessage, error) {
	if _, err := storeFilter(f, names, now); err != nil {
		return nil, err
	}
	b, err := json.Marshal(fixedFilter(f, now))
	if err == nil && len(b) > jobs.MaxFilter {
		err = respond.Refuse("the filter is too long", "all its values together have at most 16 KiB")
	}
	return b, err
}

// FilterReader reads filters that jobs have kept.
func FilterReader(names invocation.Names) func(json.RawMessage) (store.Filter, error) {
	return func(b json.RawMessage) (store.Filter, error) {
		var f wire.Filter
		if err := decodeJSON(b, &f); err != nil {
			return store.Filter{}, err
		}
		return storeFilter(f, names, time.Now())
	}
}

// PlanPurge plans the removal of what a function has pending.
func (a *Admin) PlanPurge(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r); err != nil {
		return err
	}
	lane, err := readFunction(r.PathValue("fn"), a.Names)
	if err != nil {
		return err
	}
	var body wire.PurgeRequest
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	p := jobs.Pending{Function: lane, Queue: string(body.Queue)}
	switch body.State {
	case "all":
	case store.StateReady, store.StateDelayed:
		p.State = string(body.State)
	default:
		return respond.Refuse("state is not one of the states", `"ready", "delayed" or "all", in a JSON body`)
	}
	return a.plan(w, r, jobs.Request{Act: jobs.Purge, Pending: p})
}
