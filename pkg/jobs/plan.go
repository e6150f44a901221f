package jobs

// Planning: what a job would do is counted before it does anything.

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
		return fmt.Errorf("the filter has %d bytes, %d are possible", len(q.Filter), MaxFilter)
	}
	return nil
}

// maxBy bounds the name of who asks, in bytes.
const maxBy = 256

func (q *Request) record(now time.Time) *record {
	now = now.Round(0).UTC()
	r := &record{Cut: now, Job: Job{
		ID: invocation.NewID(now), Act: q.Act, Filter: bytes.Clone(q.Filter), Pending: q.Pending, By: q.By[:min(len(q.By), maxBy)],
		Limit: q.Limit, Created: now, Rate: q.Rate, Canary: q.Canary, MaxFailedShare: q.MaxFailedShare, Force: q.Force,
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

// countLetters counts by the groups of the dead set. Only a limit that takes a
// part of them makes it look at single letters.
func (j *Jobs) countLetters(ctx context.Context, r *record) error {
	f, err := j.filter(r)
	if err != nil {
		return err
	}
	if !j.anyDead(f) {
		return nil
	}
	groups, err := j.Store.Groups(ctx, f)
	if err != nil {
		return err
	}
	t := newTally()
	for _, g := range groups {
		t.addGroup(g)
	}
	if r.Limit > 0 && r.Limit < t.plan.Count {
		t = newTally()
		if r.End, err = j.countOldest(ctx, f, r.Limit, t); err != nil {
			return err
		}
	}
	r.Plan = t.finish()
	return nil
}

// anyDead tells from the counts in memory whether the dead set can have anything
// that passes, so that asking for nothing costs nothing.
func (j *Jobs) anyDead(f store.Filter) bool {
	for lane, n := range j.Store.Lanes() {
		if n.Dead > 0 && (f.Function == "" || f.Function == lane.Name) && (f.Queue == "" || f.Queue == lane.Queue) {
			return true
		}
	}
	return false
}

// planPage is how many are read at a time while a plan is made.
const planPage = 1000

// countOldest counts the oldest letters and returns where the last of them stands.
func (j *Jobs) countOldest(ctx context.Context, f store.Filter, limit int, t *tally) (*place, error) {
	var end *place
	for cursor := ""; t.plan.Count < limit; {
		page, err := j.Store.Letters(ctx, f, cursor, min(planPage, limit-t.plan.Count))
		if err != nil {
			return nil, err
		}
		for _, inv := range page.Letters {
			t.addLetter(inv)
			end = placeOf(inv)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	return end, nil
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

// tally adds up a plan.
type tally struct {
	plan   Plan
	groups map[Group]int // by the group without its count
}

func newTally() *tally { return &tally{groups: map[Group]int{}} }

func (t *tally) addGroup(g store.Group) {
	t.add(Group{Function: g.Function, Queue: g.Queue, Reason: g.Reason, Count: g.Count}, g.Bytes, g.First, g.Last)
	t.plan.NeedsForce += g.Replayed
}

func (t *tally) addLetter(inv *invocation.Invocation) {
	t.add(Group{Function: inv.Lane.Name, Queue: inv.Lane.Queue, Reason: inv.Reason, Count: 1}, int64(inv.Size), inv.DiedAt, inv.DiedAt)
	if inv.Replays >= store.ManyReplays {
		t.plan.NeedsForce++
	}
}

func (t *tally) add(g Group, size int64, first, last time.Time) {
	n := g.Count
	g.Count = 0
	t.groups[g] += n
	p := &t.plan
	p.Count += n
	p.Bytes += size
	if p.Oldest.IsZero() || first.Before(p.Oldest) {
		p.Oldest = first.UTC()
	}
	if last.After(p.Newest) {
		p.Newest = last.UTC()
	}
}

// finish puts the largest groups first and cuts the others off.
func (t *tally) finish() Plan {
	for g, n := range t.groups {
		g.Count = n
		t.plan.Groups = append(t.plan.Groups, g)
	}
	slices.SortFunc(t.plan.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Reason, b.Reason))
	})
	if more := len(t.plan.Groups) - MaxGroups; more > 0 {
		t.plan.MoreGroups, t.plan.Groups = more, slices.Clone(t.plan.Groups[:MaxGroups])
	}
	return t.plan
}
