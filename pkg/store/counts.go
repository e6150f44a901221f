package store

// What is where, counted in memory. The counts of places follow the index
// entries that a batch writes and deletes; the counts of flow follow what the
// operations say that they did. Stats.Difference holds the two against each
// other, so a mistake in either shows.

import (
	"sync"

	"queue-worker/pkg/invocation"
)

// LaneStats counts one lane.
type LaneStats struct {
	Ready   int // in hand included
	Delayed int
	Dead    int
}

// Stats is what the store holds and what went through it since it was opened.
type Stats struct {
	AtStart  uint64 // invocations that were there when it was opened
	Accepted uint64
	Done     uint64
	Dropped  uint64 // discarded, dropped by a person or taken by the dead set's bounds

	Ready, Delayed, Dead int
	Bytes                int64 // QueueRequests of all that is there
	DeadBytes            int64 // QueueRequests in the dead set
	Mailbox              int   // ready or delayed ones that came through the mailbox

	Keys        int   // idempotency keys that are known
	Results     int   // of what is over
	ResultBytes int64 // that they take
}

// Difference is invariant I6: what came in less what is there and what left.
// It is 0, or invocations have been lost or invented.
func (s Stats) Difference() int64 {
	in := int64(s.AtStart + s.Accepted)                                                     // #nosec G115 -- counts of what fits on a disk
	return in - int64(s.Done+s.Dropped) - int64(s.Ready) - int64(s.Delayed) - int64(s.Dead) // #nosec G115 -- likewise
}

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
	bytes, deadBytes        int64
	mailbox, keys, results  int
	resultBytes             int64
	places                  []placeDelta
}

type placeDelta struct {
	lane invocation.Lane
	in   place
	n    int
}

func (d *delta) place(l invocation.Lane, in place, n int) {
	d.places = append(d.places, placeDelta{l, in, n})
}

// pend is place for what is ready or delayed.
func (d *delta) pend(l invocation.Lane, in place, from invocation.Source, n int) {
	d.place(l, in, n)
	if from == invocation.SourceMailbox {
		d.mailbox += n
	}
}

type counts struct {
	mu    sync.Mutex
	total Stats
	lanes map[invocation.Lane]*LaneStats
}

func (c *counts) apply(d *delta) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &c.total
	t.Accepted += d.accepted
	t.Done += d.done
	t.Dropped += d.dropped
	t.Bytes += d.bytes
	t.DeadBytes += d.deadBytes
	t.Mailbox += d.mailbox
	t.Keys += d.keys
	t.Results += d.results
	t.ResultBytes += d.resultBytes
	for _, p := range d.places {
		l := c.lanes[p.lane]
		if l == nil {
			l = &LaneStats{}
			c.lanes[p.lane] = l
		}
		switch p.in {
		case inReady:
			l.Ready += p.n
			t.Ready += p.n
		case inDelayed:
			l.Delayed += p.n
			t.Delayed += p.n
		case inDead:
			l.Dead += p.n
			t.Dead += p.n
		}
		if *l == (LaneStats{}) {
			delete(c.lanes, p.lane)
		}
	}
}

// Stats returns the counts as of the latest commit.
func (s *Store) Stats() Stats {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return s.counts.total
}

// Lane returns the counts of one lane.
func (s *Store) Lane(l invocation.Lane) LaneStats {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	if c := s.counts.lanes[l]; c != nil {
		return *c
	}
	return LaneStats{}
}

// Lanes returns a copy of the counts of every lane that has anything.
func (s *Store) Lanes() map[invocation.Lane]LaneStats {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	m := make(map[invocation.Lane]LaneStats, len(s.counts.lanes))
	for l, c := range s.counts.lanes {
		m[l] = *c
	}
	return m
}
