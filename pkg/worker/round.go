// File round.go decides which lane of a class has the next turn. Every lane that may start a
// call is in the round of its queue with a pass, and the lowest pass is next; hosts that are
// not proven (hosts.go) are in order of arrival instead. A turn costs a lane one pass divided
// by its priority; a lane that is new, or returns, begins behind the latest turn. So lanes of
// one priority take turns one after the other, and a lane of twice the priority has twice
// the turns.
//
// A lane with few entries has precedence over those with many: so a quiet function waits for
// no turn of the others, however many of them are flooded. In the long run at most half of
// all turns are given that way. The others take turns as usual, so no lane starves.

package worker

import "container/heap"

// Priorities of lanes. A lane of priority 10 takes ten turns while one of priority 1
// takes one; none waits for ever.
const (
	leastPriority  = 1
	commonPriority = 5
	mostPriority   = 10
)

// round holds the lanes of one queue that may begin a call.
type round struct {
	room
	narrow bool  // the queue has a limit of its own
	last   class // of the latest turn
	// Lanes that go round, by group, and hosts that were not proven, by state.
	stands [groupProven + 1]stand
	hosts  [hostProven]laneList
}

// stand is where the lanes of a group wait for their turns.
type stand struct {
	idle turns // lanes with nothing in flight
	busy turns // the others
}

// A lane with at most littleWaiting goes ahead, and at most mostFavours do in a row.
const (
	littleWaiting = 8
	mostFavours   = 64
)

// turnClock is shared by the rounds, so that queues take turns too. Each class has one.
type turnClock struct {
	pass    float64 // of the latest turn
	favours int     // lanes that may go ahead; each turn of another adds one
}

// push lets a lane stand in its round. It must stand nowhere.
func (r *round) push(c *turnClock, ln *lane) {
	if ln.class == classURL && ln.host != hostProven {
		r.hosts[ln.host].push(ln)
		return
	}
	ln.turnAt = max(ln.turnAt, c.pass) + 1/float64(ln.throttle.priority)
	if ln.ahead = ln.hasLittle() && c.favours > 0; ln.ahead {
		c.favours--
	}
	s := &r.stands[ln.class] // of proven hosts, which are the third group
	ln.in = &s.busy
	if ln.running == 0 {
		ln.in = &s.idle
	}
	heap.Push(ln.in, ln)
}

// leave takes a lane out of its round, or out of those that wait for an answer, as
// if it had never come.
func (r *round) leave(ln *lane) {
	if ln.list != nil {
		ln.list.remove(ln)
	}
	if ln.in == nil {
		return
	}
	heap.Remove(ln.in, ln.at)
	ln.in = nil
	ln.turnAt -= 1 / float64(ln.throttle.priority)
}

// shift moves a lane to the heap where it belongs after a call of it has ended.
func (r *round) shift(ln *lane) {
	s := &r.stands[ln.class]
	if ln.in == &s.busy && ln.running == 0 {
		heap.Remove(ln.in, ln.at)
		ln.in = &s.idle
		heap.Push(ln.in, ln)
	}
}

// first is the lane whose turn it is; nil for none. A lane with something in flight has
// none while only the reserve of slots is free.
func (s *stand) first(reserveOnly bool) *lane {
	var best *lane
	if len(s.idle) > 0 {
		best = s.idle[0]
	}
	if !reserveOnly && len(s.busy) > 0 && (best == nil || s.busy[0].before(best)) {
		best = s.busy[0]
	}
	return best
}

// take takes a lane out for its turn.
func (r *round) take(c *turnClock, ln *lane) {
	r.last = ln.class
	if ln.list != nil {
		ln.list.remove(ln)
		return
	}
	heap.Remove(ln.in, ln.at)
	ln.in = nil
	if ln.ahead {
		return
	}
	c.pass = ln.turnAt
	c.favours = min(c.favours+1, mostFavours)
}

// before reports whether l has its turn before o.
func (l *lane) before(o *lane) bool {
	if l.ahead != o.ahead {
		return l.ahead
	}
	if l.turnAt != o.turnAt {
		return l.turnAt < o.turnAt
	}
	return l.came < o.came
}

// turns is a heap of lanes, the next one first.
type turns []*lane

func (t turns) Len() int           { return len(t) }
func (t turns) Less(i, j int) bool { return t[i].before(t[j]) }
func (t turns) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].at, t[j].at = i, j
}

// Push implements heap.Interface.
func (t *turns) Push(x any) {
	ln := x.(*lane)
	ln.at = len(*t)
	*t = append(*t, ln)
}

// Pop implements heap.Interface.
func (t *turns) Pop() any {
	last := len(*t) - 1
	ln := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	return ln
}
