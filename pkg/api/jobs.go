// File jobs.go lists, applies, pauses, resumes and cancels jobs.

package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/jobs"
)

// jobRoutes plan, show and steer bulk acts.
func (a *api) jobRoutes(mux *surface) {
	a.guarded(mux, "/v1/dead_set/plan", methods{http.MethodPost: a.handle(a.planDead)})
	a.guarded(mux, "/v1/functions/{fn}/purge", methods{http.MethodPost: a.handle(a.planPurge)})
	a.guarded(mux, "/v1/jobs", methods{http.MethodGet: a.handle(a.listJobs)})
	a.guarded(mux, "/v1/jobs/{id}", methods{http.MethodGet: a.handle(a.showJob)})
	for name, do := range map[string]steering{
		"apply": {a.Jobs.Apply, http.StatusAccepted}, "pause": {a.Jobs.Pause, http.StatusOK},
		"resume": {a.Jobs.Resume, http.StatusOK}, "cancel": {a.Jobs.Cancel, http.StatusOK},
	} {
		a.guarded(mux, "/v1/jobs/{id}/"+name, methods{http.MethodPost: a.handle(func(w http.ResponseWriter, r *http.Request) error {
			return a.steer(w, r, name, do)
		})})
	}
}

// steering is one way to steer a job, and the status of its answer.
type steering struct {
	do     func(context.Context, invocation.ID) (jobs.Job, error)
	status int
}

const (
	notPlanned reason = "not_planned" // 409: the job has been applied
	notApplied reason = "not_applied" // 409: the job is a plan
	expired    reason = "expired"     // 409: the plan is too old
	isOver     reason = "over"        // 409: the job is done or cancelled
	tooMany    reason = "too_many"    // 409: too many jobs are open
)

var (
	problemJobID = &problem{
		status: http.StatusBadRequest, Text: "not a job's id", Reason: badRequest,
		Hint: "Use a UUID such as 0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7; /v1/jobs lists them.",
	}
	problemNoJob = &problem{
		status: http.StatusNotFound, Text: "no job has this id", Reason: notFound,
		Hint: "List them with GET /v1/jobs; finished jobs are kept for 7 days.",
	}
	problemApplied = &problem{
		status: http.StatusConflict, Text: "the job has been applied already", Reason: notPlanned,
		Hint: "Make a new plan to do the same again.",
	}
	problemExpired = &problem{
		status: http.StatusConflict, Text: "the plan has expired", Reason: expired,
		Hint: "Make a new plan; a plan can be applied for an hour.",
	}
	problemNotApplied = &problem{
		status: http.StatusConflict, Text: "the job is a plan that was not applied", Reason: notApplied,
		Hint: "Apply or cancel it.",
	}
	problemOver = &problem{
		status: http.StatusConflict, Text: "the job has finished", Reason: isOver,
		Hint: "Plan a new one.",
	}
	problemTooMany = &problem{
		status: http.StatusConflict, Text: "too many jobs are planned or running", Reason: tooMany,
		Hint: "Cancel those that are not needed; /v1/jobs lists them.",
	}
	problemPlanning = &problem{
		status: http.StatusServiceUnavailable, wait: retryAfter, Text: "too many plans are being made", Reason: busy,
		Hint: "Nothing was changed. Try again.",
	}
)

// problemOfJob is the problem of an error that jobs return, or the error.
func problemOfJob(err error) error {
	for _, known := range []struct {
		err error
		is  *problem
	}{
		{jobs.ErrNotFound, problemNoJob}, {jobs.ErrApplied, problemApplied}, {jobs.ErrExpired, problemExpired},
		{jobs.ErrNotApplied, problemNotApplied}, {jobs.ErrOver, problemOver}, {jobs.ErrTooMany, problemTooMany},
		{jobs.ErrBusy, problemPlanning},
	} {
		if errors.Is(err, known.err) {
			return known.is
		}
	}
	return err
}

func jobID(r *http.Request) (invocation.ID, error) {
	id, err := invocation.ParseID(r.PathValue("id"))
	if err != nil {
		return id, problemJobID
	}
	return id, nil
}

// jobList is a page of jobs, the newest first.
type jobList struct {
	Jobs []jobView `json:"jobs"`
	Next string    `json:"next,omitempty"`
}

func (a *api) listJobs(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := p.count("limit", maxLimit, maxLimit)
	if err != nil {
		return err
	}
	all := a.Jobs.List()
	if p.has("cursor") {
		after, err := invocation.ParseID(p.text("cursor"))
		if err != nil {
			return problemCursor
		}
		all = slices.DeleteFunc(all, func(j jobs.Job) bool { return slices.Compare(j.ID[:], after[:]) >= 0 })
	}
	list := jobList{Jobs: []jobView{}}
	for _, j := range all[:min(limit, len(all))] {
		list.Jobs = append(list.Jobs, a.jobView(j))
	}
	if len(all) > limit {
		list.Next = all[limit-1].ID.String()
	}
	return writeJSON(w, http.StatusOK, list)
}

func (a *api) showJob(w http.ResponseWriter, r *http.Request) error {
	id, err := jobID(r)
	if err != nil {
		return err
	}
	if _, err := readParams(r); err != nil {
		return err
	}
	j, err := a.Jobs.Get(id)
	if err != nil {
		return problemOfJob(err)
	}
	return writeJSON(w, http.StatusOK, a.jobView(j))
}

// steer applies, pauses, resumes or cancels. As with an act on one letter, a
// client that goes away does not stop it, and who did it is logged.
func (a *api) steer(w http.ResponseWriter, r *http.Request, name string, s steering) error {
	id, err := jobID(r)
	if err != nil {
		return err
	}
	if _, err := readParams(r); err != nil {
		return err
	}
	if err := readJSON(w, r, &struct{}{}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), a.wait)
	defer cancel()
	j, err := s.do(ctx, id)
	if p, ok := errors.AsType[*problem](problemOfJob(err)); ok {
		return p
	}
	a.log.Info("job changed", keyAct, name, keyJob, id.String(), "what", string(j.Act), "state", string(j.State),
		keyBy, callerOf(r.Context()), keyPeer, r.RemoteAddr)
	if err != nil {
		return err
	}
	return writeJSON(w, s.status, a.jobView(j))
}

const keyJob = "job"

// jobView is a job as JSON.
type jobView struct {
	ID             invocation.ID `json:"id"`
	Act            jobs.Act      `json:"act"`
	State          jobs.State    `json:"state"`
	Why            string        `json:"state_reason,omitempty"`
	Filter         any           `json:"filter"` // of dead letters, or {function, queue, state} of a purge
	Limit          int           `json:"limit,omitempty"`
	By             string        `json:"by"`
	Created        time.Time     `json:"created_at"`
	Applied        time.Time     `json:"applied_at,omitzero"`
	Finished       time.Time     `json:"finished_at,omitzero"`
	Expires        time.Time     `json:"expires_at,omitzero"` // of a plan
	Rate           int           `json:"rate"`                // letters per second, 0 for no limit
	Canary         bool          `json:"canary"`
	MaxFailedShare *float64      `json:"max_failed_share,omitempty"`
	Force          bool          `json:"force"`
	Plan           planView      `json:"plan"`
	Done           int           `json:"done"`
	Skipped        int           `json:"skipped"`
	FailedAgain    int           `json:"failed_again"` // of those that a canary watches
}

type planView struct {
	Count      int        `json:"count"`
	Bytes      int64      `json:"bytes"`
	Oldest     time.Time  `json:"oldest,omitzero"`
	Newest     time.Time  `json:"newest,omitzero"`
	Groups     []jobGroup `json:"groups"`
	MoreGroups int        `json:"more_groups,omitempty"`
	NeedsForce int        `json:"needs_force"`
	Duration   string     `json:"duration"` // at the rate
}

type jobGroup struct {
	Function string            `json:"function"`
	Queue    string            `json:"queue"`
	Reason   invocation.Reason `json:"reason,omitempty"` // not of a purge
	Count    int               `json:"count"`
}

// pendingView is what a purge takes.
type pendingView struct {
	Function string `json:"function"`
	Queue    string `json:"queue,omitempty"`
	State    string `json:"state"`
}

func (a *api) jobView(j jobs.Job) jobView {
	v := jobView{
		ID: j.ID, Act: j.Act, State: j.State, Why: j.Reason, Filter: a.jobFilter(j), Limit: j.Limit, By: j.By,
		Created: j.Created, Applied: j.Applied, Finished: j.Finished, Expires: j.Expires,
		Rate: j.Rate, Canary: j.Canary, MaxFailedShare: j.MaxFailedShare, Force: j.Force,
		Plan: planView{
			Count: j.Plan.Count, Bytes: j.Plan.Bytes, Oldest: j.Plan.Oldest, Newest: j.Plan.Newest, Groups: []jobGroup{},
			MoreGroups: j.Plan.MoreGroups, NeedsForce: j.Plan.NeedsForce, Duration: j.Plan.Duration.Round(time.Millisecond).String(),
		},
		Done: j.Done, Skipped: j.Skipped, FailedAgain: j.Failed,
	}
	for _, g := range j.Plan.Groups {
		v.Plan.Groups = append(v.Plan.Groups, jobGroup{a.qualified(g.Function), g.Queue, g.Reason, g.Count})
	}
	return v
}

// jobFilter is what a job acts on, as it may be shown.
func (a *api) jobFilter(j jobs.Job) any {
	if j.Act == jobs.Purge {
		v := pendingView{Function: a.qualified(j.Pending.Function), Queue: j.Pending.Queue, State: j.Pending.State}
		if v.State == "" {
			v.State = "all"
		}
		return v
	}
	var f filterJSON
	if len(j.Filter) > 0 && json.Unmarshal(j.Filter, &f) != nil {
		return nil // written by another version
	}
	return f.shown()
}
