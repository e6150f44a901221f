// File groups.go counts the dead set in groups of one function, queue, reason and status.

package store

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"queue-worker/pkg/invocation"
)

// ManyReplays is the number of replays from which on a letter that died again is
// counted apart: it is not likely to succeed the next time.
const ManyReplays = 3

// Group counts the dead letters of one lane with the same reason and the same
// status of the last attempt.
type Group struct {
	Queue, Function string // the lane
	Reason          invocation.Reason
	Status          int // 0 for dead letters without an attempt
	Count           int
	Bytes           int64     // of their QueueRequests
	First, Last     time.Time // when the oldest and the youngest died
	Replayed        int       // those that were replayed ManyReplays times or more
}

func (g *Group) add(e *entry) {
	g.Count++
	g.Bytes += int64(e.size)
	if g.First.IsZero() || e.at.Before(g.First) {
		g.First = e.at
	}
	if e.at.After(g.Last) {
		g.Last = e.at
	}
	if e.letter.Replays >= ManyReplays {
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

// OtherLanes is the Function of the groups of all lanes beyond mostGroups.
const OtherLanes = "_other"

// Groups counts the dead letters that pass f, largest group first. Beyond 5,000 groups
// the letters of further lanes are counted together, as OtherLanes. It goes once
// over the index, and reads records only where f needs them. What dies or leaves
// meanwhile may be counted or not.
func (s *Store) Groups(ctx context.Context, f Filter) ([]Group, error) {
	groups := map[kind]*Group{}
	w := newDeadWalk(s, &f)
	for w.more = true; w.more; {
		err := w.step(ctx, math.MaxInt, false, func(e *entry, _ *invocation.Invocation) {
			l := &e.letter
			k := kind{l.Queue, l.Lane, l.Reason, l.Status}
			if groups[k] == nil && len(groups) >= mostGroups {
				k.lane = OtherLanes
			}
			g := groups[k]
			if g == nil {
				g = &Group{Queue: k.queue, Function: k.lane, Reason: k.reason, Status: k.status}
				groups[k] = g
			}
			g.add(e)
		})
		if err != nil {
			return nil, err
		}
	}
	all := make([]Group, 0, len(groups))
	for _, g := range groups {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Function, b.Function),
			cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Status, b.Status))
	})
	return all, nil
}
