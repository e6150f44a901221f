// File page_job.go serves the pages and forms of jobs.

package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"queue-worker/pkg/console"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/jobs"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// ListJobsPage lists all jobs.
func (a *Admin) ListJobsPage(w http.ResponseWriter, r *http.Request) error {
	p, viewer, err := a.readPage(r, "cursor")
	if err != nil {
		return err
	}
	list, err := a.jobList(p.filled(), console.PageRows)
	if err != nil {
		return err
	}
	return a.writePage(w, r, console.Jobs{Viewer: viewer, At: time.Now(), List: list}.Page)
}

// ShowJobPage is the page of a job.
func (a *Admin) ShowJobPage(w http.ResponseWriter, r *http.Request) error {
	id, err := jobID(r)
	if err != nil {
		return err
	}
	_, viewer, err := a.readPage(r)
	if err != nil {
		return err
	}
	j, err := a.Jobs.Get(id)
	if err != nil {
		return problemOfJob(err)
	}
	page := console.Job{Viewer: viewer, At: time.Now(), Job: a.jobView(j)}
	page.Filter = conditions(page.Job.Filter)
	if groups := j.Plan.Groups; len(groups) > 0 && j.Plan.MoreGroups == 0 && groups[0].Function == groups[len(groups)-1].Function {
		s, err := a.snapshotOf(r.Context(), groups[0].Function)
		if err != nil {
			return err
		}
		page.Latest = s.view(r.Context(), invocation.Lane{Queue: groups[0].Queue, Name: groups[0].Function}).LastError
	}
	return a.writePage(w, r, page.Page)
}

// conditions are those of the filter of a job.
func conditions(filter any) (all []console.Condition) {
	add := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				all = append(all, console.Condition{Name: name, Value: v})
			}
		}
	}
	switch f := filter.(type) {
	case wire.PurgeFilter:
		add("function", f.Function)
		add("queue", f.Queue)
		add("state", f.State)
	case wire.Filter:
		add("function", string(f.Function))
		add("queue", string(f.Queue))
		add("reason", f.Reasons...)
		add("status", f.Statuses...)
		add("since", string(f.Since))
		add("until", string(f.Until))
		add("call_id", string(f.CallID))
		add("header", f.Headers...)
	}
	return all
}

// PlanForm plans a replay or drop of what the filter of a page lets pass.
func (a *Admin) PlanForm(w http.ResponseWriter, r *http.Request) error {
	p, err := readForm(w, r, append([]string{"act"}, wire.FilterNames...)...)
	if err != nil {
		return err
	}
	f, err := filterOf(p)
	if err != nil {
		return err
	}
	body := wire.PlanRequest{Act: wire.Text(p.text("act")), Filter: f, All: f.IsZero(), Canary: p.text("act") == wire.ActReplay}
	return a.planForm(w, r, &body)
}

// planForm makes a plan and leads to it.
func (a *Admin) planForm(w http.ResponseWriter, r *http.Request, body *wire.PlanRequest) error {
	q, err := jobRequest(body, a.Names, time.Now())
	if err != nil {
		return err
	}
	return a.showPlan(w, r, q)
}

func (a *Admin) showPlan(w http.ResponseWriter, r *http.Request, q jobs.Request) error {
	j, err := a.planned(r, q)
	if err != nil {
		return err
	}
	seeOther(w, console.Done(console.JobPath(j.ID.String()), console.DidPlan))
	return nil
}

// ChangePlanForm makes a plan of the same dead letters with other settings, in place of a plan.
func (a *Admin) ChangePlanForm(w http.ResponseWriter, r *http.Request) error {
	p, err := readForm(w, r, "rate", "canary", "share", "force")
	if err != nil {
		return err
	}
	id, err := jobID(r)
	if err != nil {
		return err
	}
	j, err := a.Jobs.Get(id)
	switch {
	case err != nil:
		return problemOfJob(err)
	case j.State != jobs.Planned:
		return problemApplied
	case j.Act != jobs.Replay:
		return respond.Refuse("only the plan of a replay can be changed", "apply or cancel it")
	}
	body, err := changedPlan(j, p)
	if err != nil {
		return err
	}
	q, err := jobRequest(body, a.Names, time.Now())
	if err != nil {
		return err
	}
	if _, err := a.steerJob(r, "cancel", a.Jobs.Cancel); err != nil {
		return err
	}
	return a.showPlan(w, r, q)
}

// changedPlan is what a form asks for instead of a plan: no dead letter that came later.
func changedPlan(j jobs.Job, p params) (*wire.PlanRequest, error) {
	body := &wire.PlanRequest{Act: wire.ActReplay, Canary: p.has("canary"), Force: p.has("force")}
	if len(j.Filter) > 0 && json.Unmarshal(j.Filter, &body.Filter) != nil {
		return nil, problemNoJob // written by another version
	}
	if body.Filter.Until == "" {
		body.Filter.Until = wire.Text(j.Created.UTC().Format(time.RFC3339Nano))
	}
	if j.Limit > 0 {
		body.Limit = &j.Limit
	}
	if p.has("rate") {
		rate, err := strconv.Atoi(p.text("rate"))
		if err != nil {
			return nil, respond.Refuse("rate is not a number", "a whole number from 1 to "+strconv.Itoa(jobs.MaxRate))
		}
		body.Rate = &rate
	}
	if p.has("share") {
		share, err := strconv.ParseFloat(p.text("share"), 64)
		if err != nil {
			return nil, respond.Refuse("share is not a number", "a number from 0 to 100")
		}
		share /= 100
		body.MaxFailedShare = &share
	}
	return body, nil
}

// PurgeForm plans the removal of what a function has pending.
func (a *Admin) PurgeForm(w http.ResponseWriter, r *http.Request) error {
	lane, err := a.pathLane(r)
	if err != nil {
		return err
	}
	p, err := readForm(w, r, "queue")
	if err != nil {
		return err
	}
	return a.showPlan(w, r, jobs.Request{Act: jobs.Purge, Pending: jobs.Pending{Function: lane, Queue: p.text("queue")}})
}

// problemUntyped is the answer to a form that does not have the count of a large plan.
var problemUntyped = respond.Refuse("the count was not typed", "go back and type how many are removed, as the page shows it; nothing was changed")

// ApplyForm applies a plan. One that removes many asks for their count.
func (a *Admin) ApplyForm(w http.ResponseWriter, r *http.Request) error {
	p, err := readForm(w, r, "count")
	if err != nil {
		return err
	}
	apply := func(ctx context.Context, id invocation.ID) (jobs.Job, error) {
		j, err := a.Jobs.Get(id)
		if err == nil && j.Act != jobs.Replay && j.Plan.Count > console.MostUntyped && p.text("count") != strconv.Itoa(j.Plan.Count) {
			return j, problemUntyped
		}
		return a.Jobs.Apply(ctx, id)
	}
	return a.jobForm(w, r, "apply", console.DidApply, apply)
}

// PauseJobForm pauses a job.
func (a *Admin) PauseJobForm(w http.ResponseWriter, r *http.Request) error {
	return a.emptyJobForm(w, r, "pause", console.DidPauseJob, a.Jobs.Pause)
}

// ResumeJobForm resumes a job.
func (a *Admin) ResumeJobForm(w http.ResponseWriter, r *http.Request) error {
	return a.emptyJobForm(w, r, "resume", console.DidResumeJob, a.Jobs.Resume)
}

// CancelJobForm cancels a job.
func (a *Admin) CancelJobForm(w http.ResponseWriter, r *http.Request) error {
	return a.emptyJobForm(w, r, "cancel", console.DidCancelJob, a.Jobs.Cancel)
}

// emptyJobForm steers a job by a form without fields.
func (a *Admin) emptyJobForm(w http.ResponseWriter, r *http.Request, name, word string, do func(context.Context, invocation.ID) (jobs.Job, error)) error {
	if _, err := readForm(w, r); err != nil {
		return err
	}
	return a.jobForm(w, r, name, word, do)
}

func (a *Admin) jobForm(w http.ResponseWriter, r *http.Request, name, word string, do func(context.Context, invocation.ID) (jobs.Job, error)) error {
	j, err := a.steerJob(r, name, do)
	if err != nil {
		return err
	}
	seeOther(w, console.Done(console.JobPath(j.ID.String()), word))
	return nil
}
