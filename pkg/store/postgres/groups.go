// File groups.go counts the dead set in groups of one function, queue, reason and status.

package postgres

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// mostGroups is how many groups there may be by themselves: callers invent names.
const mostGroups = 5_000

// kind is what the letters of a group have in common.
type kind struct {
	queue, lane string
	reason      invocation.Reason
	status      int
}

// groups are counted groups.
type groups map[kind]*store.Group

// add counts letters in their group. Beyond mostGroups they are counted as those of OtherLanes.
func (all groups) add(g store.Group) {
	k := kind{g.Queue, g.Function, g.Reason, g.Status}
	if all[k] == nil && len(all) >= mostGroups {
		k.lane, g.Function = store.OtherLanes, store.OtherLanes
	}
	old := all[k]
	if old == nil {
		all[k] = &g
		return
	}
	old.Count += g.Count
	old.Bytes += g.Bytes
	old.Replayed += g.Replayed
	old.First = earlier(old.First, g.First)
	if g.Last.After(old.Last) {
		old.Last = g.Last
	}
}

// sorted are the groups, the largest first.
func (all groups) sorted() []store.Group {
	out := make([]store.Group, 0, len(all))
	for _, g := range all {
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b store.Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Function, b.Function),
			cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Status, b.Status))
	})
	return out
}

// Groups counts the dead letters that pass f, largest group first. Beyond 5,000 groups the letters
// of the smaller ones are counted together, as OtherLanes.
func (s *Store) Groups(ctx context.Context, f store.Filter) ([]store.Group, error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	all := groups{}
	if f.CallID != "" || f.Match != nil {
		w := letterWalk{s: s, f: &f}
		_, err := w.run(ctx, math.MaxInt-1, math.MaxInt, func(inv *invocation.Invocation) { all.add(groupOf(inv)) })
		return all.sorted(), err
	}
	c := conditionOf(&f)
	text := fmt.Sprintf(`SELECT lane, reason, status, count(*), sum(size), min(died), max(died), count(*) FILTER (WHERE needs_force)
FROM queue_worker.dead WHERE %s GROUP BY lane, reason, status ORDER BY count(*) DESC`, c)
	err = s.each(ctx, func(rows pgx.Rows) error {
		g, err := scanGroup(rows)
		all.add(g)
		return err
	}, text, c.args...)
	if err != nil {
		return nil, err
	}
	return all.sorted(), nil
}

func scanGroup(rows pgx.Rows) (g store.Group, err error) {
	var lane []byte
	var reason string
	var first, last int64
	err = rows.Scan(&lane, &reason, &g.Status, &g.Count, &g.Bytes, &first, &last, &g.Replayed)
	l := parseLane(lane)
	g.Queue, g.Function, g.Reason, g.First, g.Last = l.Queue, l.Name, invocation.Reason(reason), unstamp(first), unstamp(last)
	return g, err
}

// groupOf is the group of one letter.
func groupOf(inv *invocation.Invocation) store.Group {
	g := store.Group{
		Queue: inv.Lane.Queue, Function: inv.Lane.Name, Reason: inv.Reason, Status: inv.LastStatus(),
		Count: 1, Bytes: int64(inv.StoredBytes()), First: inv.DiedAt, Last: inv.DiedAt,
	}
	if needsForce(inv) {
		g.Replayed = 1
	}
	return g
}
