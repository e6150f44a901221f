// File groups.go counts the dead set in groups of one function, queue, reason and status.

package embedded

import (
	"cmp"
	"context"
	"math"
	"slices"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// countIn counts a dead letter in its group.
func (e *entry) countIn(g *store.Group) {
	g.Count++
	g.Bytes += int64(e.size)
	if g.First.IsZero() || e.at.Before(g.First) {
		g.First = e.at
	}
	if e.at.After(g.Last) {
		g.Last = e.at
	}
	if e.letter.Replays >= store.ManyReplays || e.letter.Superseded > 0 {
		g.Replayed++
	}
}

// kind is what the letters of a group have in common.
type kind struct {
	queue, lane string
	reason      invocation.Reason
	status      int
}

// mostGroups is how many groups there may be by themselves: callers invent names.
const mostGroups = 5_000

// Groups counts the dead letters that pass f, largest group first. Beyond 5,000 groups
// the letters of further lanes are counted together, as OtherLanes. It goes once
// over the index, and reads records only where f needs them. What dies or leaves
// meanwhile may be counted or not.
func (s *Store) Groups(ctx context.Context, f store.Filter) ([]store.Group, error) {
	groups := map[kind]*store.Group{}
	w := newDeadWalk(s, &f)
	for w.more = true; w.more; {
		err := w.step(ctx, math.MaxInt, false, func(e *entry, _ *invocation.Invocation) {
			l := &e.letter
			k := kind{l.Queue, l.Name, l.Reason, l.Status}
			if groups[k] == nil && len(groups) >= mostGroups {
				k.lane = store.OtherLanes
			}
			g := groups[k]
			if g == nil {
				g = &store.Group{Queue: k.queue, Function: k.lane, Reason: k.reason, Status: k.status}
				groups[k] = g
			}
			e.countIn(g)
		})
		if err != nil {
			return nil, err
		}
	}
	all := make([]store.Group, 0, len(groups))
	for _, g := range groups {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b store.Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Function, b.Function),
			cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Status, b.Status))
	})
	return all, nil
}
