// File plan.go plans: what a job would do is counted before it changes anything.

package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Plan counts what a job would do and keeps it for an hour as a plan to apply.
// The set is fixed by the filter and this moment. ErrBusy while other plans are
// being made, ErrTooMany when too many jobs are open; other errors are those of
// a wrong request, of the store, and of ctx.
func (j *Jobs) Plan(ctx context.Context, q Request) (Job, error) {
	r, err := j.plan(ctx, q)
	if err != nil {
		return Job{}, err
	}
	r.State, r.Expires = Planned, r.Created.Add(planExpiry)
	return j.add(ctx, r)
}

// Start plans and applies at once. When there is nothing to do the job is Done
// and not kept. Errors as of Plan.
func (j *Jobs) Start(ctx context.Context, q Request) (Job, error) {
	r, err := j.plan(ctx, q)
	if err != nil {
		return Job{}, err
	}
	r.Applied = r.Created
	if r.Plan.Count == 0 {
		r.State, r.Finished = Done, r.Created
		return r.Job, nil
	}
	r.State = Running
	return j.add(ctx, r)
}

// plan makes the record of a job, all but its state.
func (j *Jobs) plan(ctx context.Context, q Request) (*record, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	select {
	case j.planning <- struct{}{}:
		defer func() { <-j.planning }()
	default:
		return nil, ErrBusy
	}
	r := q.record(j.now())
	return r, j.countSet(ctx, r)
}

// check finds what is wrong with a request.
func (q *Request) check() error {
	share := q.MaxFailedShare
	switch {
	case q.Act != Replay && q.Act != Drop && q.Act != Purge:
		return fmt.Errorf("unknown act %q", q.Act)
	case q.Rate < 0 || q.Rate > MaxRate:
		return fmt.Errorf("rate %d is not between 0 and %d", q.Rate, MaxRate)
	case q.Limit < 0:
		return fmt.Errorf("limit %d is negative", q.Limit)
	case share != nil && !(*share >= 0 && *share <= 1):
		return fmt.Errorf("max failed share %v is not between 0 and 1", *share)
	case q.Act != Replay && (q.Canary || q.Force || share != nil):
		return fmt.Errorf("canary, share and force have no meaning for the act %q", q.Act)
	case q.Act == Purge && (q.Pending.Function == "" || q.Filter != nil || q.Limit > 0):
		return fmt.Errorf("a purge needs a function, and has no filter and no limit")
	case len(q.Filter) > MaxFilter:
		return fmt.Errorf("the filter has %d bytes, at most %d are allowed", len(q.Filter), MaxFilter)
	}
	return nil
}

// maxBy bounds the name of the operator, in bytes.
const maxBy = 256

func (q *Request) record(now time.Time) *record {
	now = now.Round(0).UTC()
	r := &record{Cut: now, Job: Job{
		ID: invocation.NewID(now), Act: q.Act, Filter: bytes.Clone(q.Filter), Pending: q.Pending, By: q.By[:min(len(q.By), maxBy)],
		Limit: q.Limit, Created: now, Rate: q.Rate, Canary: q.Canary, MaxFailedShare: q.MaxFailedShare, Force: q.Force,
		Counted: q.Act == Replay,
	}}
	if r.Act == Replay && r.Rate == 0 {
		r.Rate = DefaultRate
	}
	if r.Canary && r.MaxFailedShare == nil {
		share := DefaultShare
		r.MaxFailedShare = &share
	}
	return r
}

// countSet fills in the plan of a job.
func (j *Jobs) countSet(ctx context.Context, r *record) error {
	var err error
	if r.Act == Purge {
		err = j.countPending(ctx, r)
	} else {
		err = j.countLetters(ctx, r)
	}
	if err != nil {
		return err
	}
	n := r.Plan.Count
	if r.Act == Replay && !r.Force {
		n -= r.Plan.NeedsForce
	}
	if r.Act == Replay && j.FirstWait != nil {
		for _, g := range r.Plan.Groups {
			r.Plan.FirstWait = max(r.Plan.FirstWait, j.FirstWait(invocation.Lane{Queue: g.Queue, Name: g.Function}))
		}
	}
	if r.Rate > 0 {
		r.Plan.Duration = time.Duration(float64(n) / float64(r.Rate) * float64(time.Second))
	}
	return nil
}

// everything is a filter that lets all pass.
var everything = json.RawMessage("{}")

// filter is the filter of a job's letters, with the moment of planning.
func (j *Jobs) filter(r *record) (store.Filter, error) {
	written := r.Filter
	if written == nil {
		written = everything
	}
	f, err := j.Filter(written)
	if err != nil {
		return f, err
	}
	if f.Until.IsZero() || r.Cut.Before(f.Until) {
		f.Until = r.Cut
	}
	return f, nil
}

// countPending counts what a purge would take. The size and the age of what is
// pending stand in the records, so all of them are read.
func (j *Jobs) countPending(ctx context.Context, r *record) error {
	t := newTally()
	f := pendingFilter(r)
	for cursor := ""; ; {
		page, next, err := j.Store.Pending(ctx, f, cursor, planPage)
		if err != nil {
			return err
		}
		for _, inv := range page {
			t.add(Group{Function: inv.Lane.Name, Queue: inv.Lane.Queue, Count: 1}, int64(inv.Size), inv.Accepted, inv.Accepted)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	r.Plan = t.finish()
	return nil
}

func pendingFilter(r *record) store.PendingFilter {
	return store.PendingFilter{Function: r.Pending.Function, Queue: r.Pending.Queue, State: r.Pending.State, Until: r.Cut}
}
