// File counts.go counts invocations in memory. The counts of places follow the index
// entries that a batch writes and deletes; the counts of flow follow what the operations
// report. Stats.Difference compares the two, so that a mistake in either is visible.

package embedded

import (
	"context"
	"maps"
	"sync"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// place is one of the three indexes.
type place uint8

const (
	inReady place = iota
	inDelayed
	inDead
)

func (p place) String() string {
	switch p {
	case inReady:
		return "ready"
	case inDelayed:
		return "delayed"
	case inDead:
		return "dead"
	}
	panic("store: unknown place")
}

// delta is what one batch changes.
type delta struct {
	accepted, done, dropped uint64
	superseded              uint64
	bytes, deadBytes        int64
	mailbox, keys, results  int
	resultBytes             int64
	ends                    int
	endBytes                int64
	endsRemoved             uint64
	places                  []placeDelta
}

type placeDelta struct {
	lane invocation.Lane
	in   place
	n    int
	// bytes are those of dead letters.
	bytes int64
}

func (d *delta) place(l invocation.Lane, in place, n int) {
	d.places = append(d.places, placeDelta{lane: l, in: in, n: n})
}

// dead is place for n dead letters, with a negative n for those that leave, of size bytes each.
func (d *delta) dead(l invocation.Lane, n, size int) {
	bytes := int64(n) * int64(size)
	d.places = append(d.places, placeDelta{lane: l, in: inDead, n: n, bytes: bytes})
	d.deadBytes += bytes
}

// pend is place for what is ready or delayed.
func (d *delta) pend(l invocation.Lane, in place, from invocation.Source, n int) {
	d.place(l, in, n)
	if from == invocation.SourceMailbox {
		d.mailbox += n
	}
}

// mostLanes is how many lanes are counted one by one: callers invent names of
// functions and hosts, and a count costs memory.
const mostLanes = 20_000

// counts are the counts of places and of flow. Each lane is counted in one of two ways:
//
//	lanes   by itself: its entry has all of it
//	rest    together with others of its queue, when there are mostLanes already
//
// A lane that is not in lanes belongs to rest as long as rest of its queue has anything:
// it may be in there. So entries of lanes that have become empty stay meanwhile, and
// adopt can move a lane from rest to lanes.
type counts struct {
	most int // lanes that are counted by themselves; adopt may add adoptedLanes

	mu       sync.Mutex
	total    store.Stats
	lanes    map[invocation.Lane]*store.LaneStats
	rest     map[string]*store.LaneStats          // by queue; no entry is empty
	adopting map[invocation.Lane]*store.LaneStats // what has changed since adopt began to count
	// callbacks are the DeadBytes of all lanes of callback hosts, wherever they are counted.
	callbacks int64
}

func newCounts() counts {
	return counts{
		most: mostLanes, lanes: map[invocation.Lane]*store.LaneStats{}, rest: map[string]*store.LaneStats{},
		adopting: map[invocation.Lane]*store.LaneStats{},
	}
}

func (c *counts) apply(d *delta) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &c.total
	t.Accepted += d.accepted
	t.Done += d.done
	t.Dropped += d.dropped
	t.Superseded += d.superseded
	t.Bytes += d.bytes
	t.DeadBytes += d.deadBytes
	t.Mailbox += d.mailbox
	t.Keys += d.keys
	t.Results += d.results
	t.ResultBytes += d.resultBytes
	t.Ends += d.ends
	t.EndBytes += d.endBytes
	t.EndsRemoved += d.endsRemoved
	for _, p := range d.places {
		p.addToTotal(t)
		c.add(p)
		if invocation.IsCallbackLane(p.lane.Name) {
			c.callbacks += p.bytes
		}
	}
}

// addToTotal counts a change of place.
func (p *placeDelta) addToTotal(t *store.Stats) {
	l := store.LaneStats{Ready: t.Ready, Delayed: t.Delayed, Dead: t.Dead}
	p.addTo(&l)
	t.Ready, t.Delayed, t.Dead = l.Ready, l.Delayed, l.Dead
}

// addTo counts a change of place in the counts of its lane.
func (p *placeDelta) addTo(l *store.LaneStats) {
	switch p.in {
	case inReady:
		l.Ready += p.n
	case inDelayed:
		l.Delayed += p.n
	case inDead:
		l.Dead += p.n
		l.DeadBytes += p.bytes
	}
}

// add counts a change of place in its lane.
func (c *counts) add(p placeDelta) {
	if a := c.adopting[p.lane]; a != nil {
		p.addTo(a)
	}
	l, own := c.lanes[p.lane]
	switch {
	case own:
	case c.rest[p.lane.Queue] != nil:
		l = c.rest[p.lane.Queue]
	case len(c.lanes) < c.most:
		l, own = &store.LaneStats{}, true
		c.lanes[p.lane] = l
	default:
		l = &store.LaneStats{}
		c.rest[p.lane.Queue] = l
	}
	p.addTo(l)
	if *l != (store.LaneStats{}) {
		return
	}
	switch {
	case !own:
		c.endRest(p.lane.Queue)
	case c.rest[p.lane.Queue] == nil:
		delete(c.lanes, p.lane)
	}
}

// endRest goes back to one count for each lane of a queue.
func (c *counts) endRest(queue string) {
	delete(c.rest, queue)
	maps.DeleteFunc(c.lanes, func(l invocation.Lane, n *store.LaneStats) bool {
		return l.Queue == queue && *n == store.LaneStats{}
	})
}

// Stats returns the counts as of the latest commit.
func (s *Store) Stats() store.Stats {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return s.counts.total
}

// Lane returns the counts of one lane. Of a lane that is not counted by itself, see
// Rest, it reads the indexes: that takes about a second for a million invocations.
func (s *Store) Lane(_ context.Context, l invocation.Lane) (store.LaneStats, error) {
	n, counted := s.counts.lane(l)
	if counted {
		return n, nil
	}
	if err := s.enter(); err != nil {
		return n, err
	}
	defer s.leave()
	err := s.damaged(s.countIn(s.db, map[invocation.Lane]*store.LaneStats{l: &n}))
	return n, err
}

// lane returns the counts of a lane; not counted means that it belongs to the rest.
func (c *counts) lane(l invocation.Lane) (n store.LaneStats, counted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if own := c.lanes[l]; own != nil {
		return *own, true
	}
	return store.LaneStats{}, c.rest[l.Queue] == nil
}

// Lanes returns a copy of the counts of the lanes that have anything, but for those
// that Rest counts.
func (s *Store) Lanes() map[invocation.Lane]store.LaneStats {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	m := make(map[invocation.Lane]store.LaneStats, len(s.counts.lanes))
	for l, c := range s.counts.lanes {
		if *c != (store.LaneStats{}) {
			m[l] = *c
		}
	}
	return m
}

// Rest counts by queue what is in lanes that are not counted one by one, because
// there are more than 20,000 lanes. It is empty in almost every store.
func (s *Store) Rest() map[string]store.LaneStats {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	m := make(map[string]store.LaneStats, len(s.counts.rest))
	for queue, c := range s.counts.rest {
		m[queue] = *c
	}
	return m
}
