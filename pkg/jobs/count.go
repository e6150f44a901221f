// File count.go counts the set of a plan.

package jobs

import (
	"cmp"
	"context"
	"slices"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// countLetters counts by the groups of the dead set, which stand in its index.
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
	t.addGroups(groups)
	if r.Limit > 0 && r.Limit < t.plan.Count {
		if r.End, t, err = j.countOldest(ctx, f, groups, r.Limit); err != nil {
			return err
		}
	}
	r.Plan = t.finish()
	return nil
}

// anyDead reports from the counts in memory whether the dead set can have anything
// that passes, so that asking for nothing costs nothing.
func (j *Jobs) anyDead(f store.Filter) bool {
	for lane, n := range j.Store.Lanes() {
		if n.Dead > 0 && (f.Function == "" || f.Function == lane.Name) && (f.Queue == "" || f.Queue == lane.Queue) {
			return true
		}
	}
	for queue, n := range j.Store.Rest() {
		if n.Dead > 0 && (f.Queue == "" || f.Queue == queue) {
			return true
		}
	}
	return false
}

// planPage is how many are read at a time while a plan is made.
const planPage = 1000

// countOldest counts the oldest letters of all, which are more than the limit, and
// returns where the last of them stands. It closes in on that by halves of time,
// which costs a look at the index, and reads letters only at the end.
func (j *Jobs) countOldest(ctx context.Context, f store.Filter, all []store.Group, limit int) (*place, *tally, error) {
	t := newTally()
	for open := all; f.Match == nil && f.CallID == ""; {
		n, since, until := extent(open)
		if n > 0 { // they may all have left since
			f.Since, f.Until = since, until
		}
		half := f.Until.Sub(f.Since) / 2
		if n <= planPage || half == 0 {
			break
		}
		older, newer := f, f
		older.Until, newer.Since = f.Since.Add(half), f.Since.Add(half)
		groups, err := j.Store.Groups(ctx, older)
		if err != nil {
			return nil, nil, err
		}
		if n, _, _ := extent(groups); t.plan.Count+n > limit {
			open = groups
			continue
		}
		t.addGroups(groups)
		if open, err = j.Store.Groups(ctx, newer); err != nil {
			return nil, nil, err
		}
		f = newer
	}
	end, err := j.countOneByOne(ctx, f, limit, t)
	return end, t, err
}

// extent is how many letters groups have, and between which times they died.
func extent(groups []store.Group) (n int, since, until time.Time) {
	for _, g := range groups {
		n += g.Count
		if since.IsZero() || g.First.Before(since) {
			since = g.First
		}
		if end := g.Last.Add(1); end.After(until) {
			until = end
		}
	}
	return n, since, until
}

// countOneByOne reads letters until there are as many as the limit.
func (j *Jobs) countOneByOne(ctx context.Context, f store.Filter, limit int, t *tally) (*place, error) {
	end := &place{At: f.Since} // what died before is within
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

// tally adds up a plan.
type tally struct {
	plan   Plan
	groups map[Group]int // by the group without its count
}

func newTally() *tally { return &tally{groups: map[Group]int{}} }

func (t *tally) addGroups(groups []store.Group) {
	for _, g := range groups {
		t.add(Group{Function: g.Function, Queue: g.Queue, Reason: g.Reason, Count: g.Count}, g.Bytes, g.First, g.Last)
		t.plan.NeedsForce += g.Replayed
	}
}

func (t *tally) addLetter(inv *invocation.Invocation) {
	t.add(Group{Function: inv.Lane.Name, Queue: inv.Lane.Queue, Reason: inv.Reason, Count: 1}, int64(inv.Size), inv.DiedAt, inv.DiedAt)
	if inv.Replays >= store.ManyReplays || inv.Superseded {
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
