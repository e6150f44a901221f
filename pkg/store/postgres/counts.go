// File counts.go counts invocations in memory, by what each batch changes. Stats.Difference compares
// the counts of places with the counts of flow, so that a mistake in either is visible.

package postgres

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// where is one of the three places of an invocation.
type where uint8

const (
	inReady where = iota
	inDelayed
	inDead
)

// delta is what one batch changes.
type delta struct {
	accepted, done, dropped uint64
	superseded              uint64
	bytes                   int64
	mailbox, keys, results  int
	resultBytes             int64
	ends                    int
	endBytes                int64
	endsRemoved             uint64
	places                  []placeDelta
}

type placeDelta struct {
	lane  invocation.Lane
	in    where
	n     int
	bytes int64 // of dead letters
}

func (d *delta) place(l invocation.Lane, in where, n int) {
	d.places = append(d.places, placeDelta{lane: l, in: in, n: n})
}

// pend is place for what is ready or delayed.
func (d *delta) pend(l invocation.Lane, in where, mailbox bool, n int) {
	d.place(l, in, n)
	if mailbox {
		d.mailbox += n
	}
}

// dead is place for n dead letters, with a negative n for those that leave, of size bytes each.
func (d *delta) dead(l invocation.Lane, n, size int) {
	d.places = append(d.places, placeDelta{l, inDead, n, int64(n) * int64(size)})
}

// mostLanes is how many lanes are counted one by one: callers invent names of functions and hosts.
const mostLanes = 20_000

// counts are the counts of places and of flow. A lane is counted by itself, or together with others
// of its queue when there are mostLanes already.
type counts struct {
	mu    sync.Mutex
	total store.Stats
	lanes map[invocation.Lane]*store.LaneStats
	rest  map[string]*store.LaneStats // by queue
}

func newCounts() counts {
	return counts{lanes: map[invocation.Lane]*store.LaneStats{}, rest: map[string]*store.LaneStats{}}
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
	t.Mailbox += d.mailbox
	t.Keys += d.keys
	t.Results += d.results
	t.ResultBytes += d.resultBytes
	t.Ends += d.ends
	t.EndBytes += d.endBytes
	t.EndsRemoved += d.endsRemoved
	for _, p := range d.places {
		all := store.LaneStats{Ready: t.Ready, Delayed: t.Delayed, Dead: t.Dead, DeadBytes: t.DeadBytes}
		p.addTo(&all)
		t.Ready, t.Delayed, t.Dead, t.DeadBytes = all.Ready, all.Delayed, all.Dead, all.DeadBytes
		c.add(p)
	}
}

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

// add counts a change of place in its lane. A lane that is not in lanes may be in the rest of its
// queue as long as that has anything, so entries of empty lanes stay meanwhile.
func (c *counts) add(p placeDelta) {
	l, own := c.lanes[p.lane]
	rest := c.rest[p.lane.Queue]
	switch {
	case own:
	case rest != nil:
		l = rest
	case len(c.lanes) < mostLanes:
		l, own = &store.LaneStats{}, true
		c.lanes[p.lane] = l
	default:
		l = &store.LaneStats{}
		c.rest[p.lane.Queue] = l
	}
	p.addTo(l)
	switch {
	case *l != (store.LaneStats{}):
	case own && rest == nil:
		delete(c.lanes, p.lane)
	case !own:
		c.endRest(p.lane.Queue)
	}
}

// endRest goes back to one count for each lane of a queue.
func (c *counts) endRest(queue string) {
	delete(c.rest, queue)
	maps.DeleteFunc(c.lanes, func(l invocation.Lane, n *store.LaneStats) bool {
		return l.Queue == queue && *n == store.LaneStats{}
	})
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

// adopt counts a lane by itself that belonged to the rest.
func (c *counts) adopt(l invocation.Lane, n store.LaneStats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	rest := c.rest[l.Queue]
	if rest == nil || c.lanes[l] != nil {
		return
	}
	rest.Ready, rest.Delayed = rest.Ready-n.Ready, rest.Delayed-n.Delayed
	rest.Dead, rest.DeadBytes = rest.Dead-n.Dead, rest.DeadBytes-n.DeadBytes
	c.lanes[l] = &n
	if *rest == (store.LaneStats{}) {
		c.endRest(l.Queue)
	}
}

// Stats returns the counts as of the latest commit.
func (s *Store) Stats() store.Stats {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return s.counts.total
}

// Lanes returns a copy of the counts of the lanes that have anything, but for those that Rest counts.
func (s *Store) Lanes() map[invocation.Lane]store.LaneStats {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	m := make(map[invocation.Lane]store.LaneStats, len(s.counts.lanes))
	for l, n := range s.counts.lanes {
		if *n != (store.LaneStats{}) {
			m[l] = *n
		}
	}
	return m
}

// Rest counts by queue what is in lanes that are not counted one by one, because there are more
// than 20,000 lanes. It is empty in almost every store.
func (s *Store) Rest() map[string]store.LaneStats {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	m := make(map[string]store.LaneStats, len(s.counts.rest))
	for queue, n := range s.counts.rest {
		m[queue] = *n
	}
	return m
}

// Lane returns the counts of one lane, whether Lanes has it or not.
func (s *Store) Lane(ctx context.Context, l invocation.Lane) (store.LaneStats, error) {
	n, counted := s.counts.lane(l)
	if counted {
		return n, nil
	}
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return n, err
	}
	defer done()
	c := s.due.keep()
	err = s.pool.QueryRow(ctx, statement("count lane"), laneBytes(l), c.since, [16]byte(c.id)).Scan(&n.Ready, &n.Delayed, &n.Dead, &n.DeadBytes)
	return n, readError(err)
}

// adoptedLanes is how many lanes Adopt may add to those that are counted one by one.
const adoptedLanes = 2_000

// Adopt counts lanes by themselves from now on, as far as there is room.
func (s *Store) Adopt(ctx context.Context, lanes []invocation.Lane) error {
	for _, l := range lanes {
		if _, counted := s.counts.lane(l); counted {
			continue
		}
		err := s.readAlone(ctx, func(ctx context.Context, t *txn) error {
			if s.counts.size() >= mostLanes+adoptedLanes {
				return nil
			}
			var n store.LaneStats
			c := s.due.keep()
			err := t.conn.QueryRow(ctx, statement("count lane"), laneBytes(l), c.since, [16]byte(c.id)).Scan(&n.Ready, &n.Delayed, &n.Dead, &n.DeadBytes)
			if err == nil {
				s.counts.adopt(l, n)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *counts) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lanes)
}

// Oldest returns since when the invocation is ready that is first in a lane, those in flight
// included. False when nothing is ready in it.
func (s *Store) Oldest(ctx context.Context, lane invocation.Lane) (since time.Time, ok bool) {
	if s.enter() != nil {
		return since, false
	}
	defer s.leave()
	c := s.due.keep()
	var n int64
	err := s.pool.QueryRow(ctx, statement("oldest"), laneBytes(lane), s.due.high(), c.since, [16]byte(c.id)).Scan(&n)
	return unstamp(n), err == nil
}

// count takes the counts from the tables, in one snapshot.
func (s *Store) count(ctx context.Context) error {
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
			return err
		}
		c := s.due.keep()
		var d delta
		rows, err := tx.Query(ctx, statement("count pending"), c.since, [16]byte(c.id))
		if err == nil {
			err = eachRow(rows, func(rows pgx.Rows) error { return d.addPending(rows) })
		}
		if err != nil {
			return err
		}
		if rows, err = tx.Query(ctx, statement("count dead")); err == nil {
			err = eachRow(rows, func(rows pgx.Rows) error { return d.addDead(rows) })
		}
		if err != nil {
			return err
		}
		var due, deadline int64
		err = tx.QueryRow(ctx, statement("count beside"), c.since, [16]byte(c.id)).
			Scan(&d.keys, &d.results, &d.resultBytes, &d.ends, &d.endBytes, &due, &deadline)
		if err != nil {
			return err
		}
		s.due.set(unstamp(due))
		s.deadline.at = unstamp(deadline)
		s.counts.apply(&d)
		t := &s.counts.total
		t.AtStart = uint64(t.Ready + t.Delayed + t.Dead) // #nosec G115 -- counts
		return nil
	})
}

func (d *delta) addPending(rows pgx.Rows) error {
	var lane []byte
	var later bool
	var n, mailbox int
	var bytes int64
	err := rows.Scan(&lane, &later, &n, &bytes, &mailbox)
	in := inReady
	if later {
		in = inDelayed
	}
	d.place(parseLane(lane), in, n)
	d.mailbox += mailbox
	d.bytes += bytes
	return err
}

func (d *delta) addDead(rows pgx.Rows) error {
	var lane []byte
	var n int
	var bytes int64
	err := rows.Scan(&lane, &n, &bytes)
	d.places = append(d.places, placeDelta{parseLane(lane), inDead, n, bytes})
	d.bytes += bytes
	return err
}
