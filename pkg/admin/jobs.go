// File jobs.go lists, applies, pauses, resumes and cancels jobs.

package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/jobs"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// steering is one way to steer a job, and the status of its answer.
type steering struct {
	do     func(context.Context, invocation.ID) (jobs.Job, error)
	status int
}

var (
	problemJobID = respond.Refuse("not a job's id",
		"Use a UUID such as 0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7; /v1/jobs lists them.")
	problemNoJob = respond.NewProblem(http.StatusNotFound, wire.NotFound, "no job has this id",
		"List them with GET /v1/jobs; finished jobs are kept for 7 days.")
	problemApplied = respond.NewProblem(http.StatusConflict, wire.NotPlanned, "the job has been applied already",
		"Make a new plan to do the same again.")
	problemExpired = respond.NewProblem(http.StatusConflict, wire.Expired, "the plan has expired",
		"Make a new plan; a plan can be applied for an hour.")
	problemNotApplied = respond.NewProblem(http.StatusConflict, wire.NotApplied, "the job is a plan that was not applied",
		"Apply or cancel it.")
	problemOver = respond.NewProblem(http.StatusConflict, wire.IsOver, "the job has finished",
		"Plan a new one.")
	problemTooMany = respond.NewProblem(http.StatusConflict, wire.TooMany, "too many jobs are planned or running",
		"Cancel those that are not needed; /v1/jobs lists them.")
	problemPlanning = respond.Later(wire.Busy, "too many plans are being made",
		"Nothing was changed. Try again.")
)

// problemOfJob is the problem of an error that jobs return, or the error.
func problemOfJob(err error) error {
	for _, known := range []struct {
		err error
		is  *respond.Problem
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

// ListJobs lists jobs, the newest first.
func (a *Admin) ListJobs(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := p.limit(maxLimit)
	if err != nil {
		return err
	}
	list, err := a.jobList(p, limit)
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusOK, list)
}

// jobList are up to limit jobs after a cursor.
func (a *Admin) jobList(p params, limit int) (wire.JobList, error) {
	all := a.Jobs.List()
	if p.has("cursor") {
		after, err := invocation.ParseID(p.text("cursor"))
		if err != nil {
			return wire.JobList{}, store.ErrBadCursor
		}
		all = slices.DeleteFunc(all, func(j jobs.Job) bool { return slices.Compare(j.ID[:], after[:]) >= 0 })
	}
	list := wire.JobList{Jobs: []wire.Job{}}
	for _, j := range all[:min(limit, len(all))] {
		list.Jobs = append(list.Jobs, a.jobView(j))
	}
	if len(all) > limit {
		list.Next = all[limit-1].ID.String()
	}
	return list, nil
}

// ShowJob shows one job.
func (a *Admin) ShowJob(w http.ResponseWriter, r *http.Request) error {
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
	return respond.JSON(w, http.StatusOK, a.jobView(j))
}

// ApplyJob starts a planned job.
func (a *Admin) ApplyJob(w http.ResponseWriter, r *http.Request) error {
	return a.steer(w, r, "apply", steering{a.Jobs.Apply, http.StatusAccepted})
}

// PauseJob pauses a job.
func (a *Admin) PauseJob(w http.ResponseWriter, r *http.Request) error {
	return a.steer(w, r, "pause", steering{a.Jobs.Pause, http.StatusOK})
}

// ResumeJob resumes a job.
func (a *Admin) ResumeJob(w http.ResponseWriter, r *http.Request) error {
	return a.steer(w, r, "resume", steering{a.Jobs.Resume, http.StatusOK})
}

// CancelJob ends a job for good.
func (a *Admin) CancelJob(w http.ResponseWriter, r *http.Request) error {
	return a.steer(w, r, "cancel", steering{a.Jobs.Cancel, http.StatusOK})
}

// steer applies, pauses, resumes or cancels. As with an act on one letter, a
// client that goes away does not stop it, and who did it is logged.
func (a *Admin) steer(w http.ResponseWriter, r *http.Request, name string, s steering) error {
	if _, err := readParams(r); err != nil {
		return err
	}
	if err := readJSON(w, r, &struct{}{}); err != nil {
		return err
	}
	j, err := a.steerJob(r, name, s.do)
	if err != nil {
		return err
	}
	return respond.JSON(w, s.status, a.jobView(j))
}

// steerJob steers the job in the path.
func (a *Admin) steerJob(r *http.Request, name string, do func(context.Context, invocation.ID) (jobs.Job, error)) (j jobs.Job, err error) {
	id, err := jobID(r)
	if err != nil {
		return j, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), a.wait)
	defer cancel()
	j, err = do(ctx, id)
	if p, ok := errors.AsType[*respond.Problem](problemOfJob(err)); ok {
		return j, p
	}
	a.log.Info("job changed", keyAct, name, keyJob, id.String(), "what", string(j.Act), "state", string(j.State),
		keyBy, callerOf(r.Context()), keyPeer, r.RemoteAddr)
	return j, err
}

// jobView is a job, as JSON.
func (a *Admin) jobView(j jobs.Job) wire.Job {
	v := wire.Job{
		ID: j.ID.String(), Act: string(j.Act), State: string(j.State), StateReason: j.Reason, Filter: a.jobFilter(j), Limit: j.Limit, By: j.By,
		Created: j.Created, Applied: j.Applied, Finished: j.Finished, Expires: j.Expires,
		Rate: j.Rate, Canary: j.Canary, MaxFailedShare: j.MaxFailedShare, Force: j.Force,
		Plan: wire.Plan{
			Count: j.Plan.Count, Bytes: j.Plan.Bytes, Oldest: j.Plan.Oldest, Newest: j.Plan.Newest, Groups: []wire.PlanGroup{},
			MoreGroups: j.Plan.MoreGroups, NeedsForce: j.Plan.NeedsForce, Duration: j.Plan.Duration.Round(time.Millisecond).String(),
		},
		Done: j.Done, Skipped: j.Skipped,
	}
	if t := j.Tally; t != nil {
		pending := t.Pending()
		v.JobOutcomes = wire.JobOutcomes{
			Replayed: &t.Replayed, Succeeded: &t.Succeeded, FailedAgain: &t.FailedAgain, Dropped: &t.Dropped, Cancelled: &t.Cancelled,
			Pending: &pending,
		}
	}
	if j.Plan.FirstWait > 0 {
		v.Plan.FirstWait = j.Plan.FirstWait.String()
	}
	for _, g := range j.Plan.Groups {
		v.Plan.Groups = append(v.Plan.Groups, wire.PlanGroup{Function: a.qualified(g.Function), Queue: g.Queue, Reason: string(g.Reason), Count: g.Count})
	}
	return v
}

// jobFilter is what a job acts on, as it may be shown.
func (a *Admin) jobFilter(j jobs.Job) any {
	if j.Act == jobs.Purge {
		v := wire.PurgeFilter{Function: a.qualified(j.Pending.Function), Queue: j.Pending.Queue, State: j.Pending.State}
		if v.State == "" {
			v.State = "all"
		}
		return v
	}
	var f wire.Filter
	if len(j.Filter) > 0 && json.Unmarshal(j.Filter, &f) != nil {
		return nil // written by another version
	}
	return shownFilter(f)
}
