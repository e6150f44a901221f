// File adopt.go counts lanes separately that were counted together with others; see
// counts.go.

package embedded

import (
	"context"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// adoptedLanes is how many lanes Adopt may add to those that are counted one by one.
const adoptedLanes = 2_000

// Adopt counts lanes by themselves from now on, as far as there is room, whatever else
// the store holds. It is for functions that are known to exist: without it those that
// callers have invented could take up all counts. It reads the indexes when one of the
// lanes was not counted by itself, which takes about a second for a million invocations.
func (s *Store) Adopt(ctx context.Context, lanes []invocation.Lane) error {
	o := &adoptOp{counted: make(chan error, 1)}
	for _, l := range lanes {
		if _, counted := s.counts.lane(l); !counted {
			o.lanes = append(o.lanes, l)
		}
	}
	if len(o.lanes) == 0 {
		return nil
	}
	if err := s.doAlone(ctx, o.stage); err != nil {
		return err
	}
	select {
	case err := <-o.counted:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// adoptOp begins to count lanes. From then on what changes in them is kept, and a helper
// counts what was there before.
type adoptOp struct {
	lanes   []invocation.Lane
	counted chan error
}

// stage begins a batch, so that all batches before it are counted and in the snapshot.
func (o *adoptOp) stage(t *txn) error {
	s, from := t.s, t.s.db.NewSnapshot()
	found := s.counts.beginAdopting(o.lanes)
	s.helpers.Go(func() {
		err := s.countIn(from, found)
		s.counts.adopt(found, err == nil)
		o.counted <- closing(err, from)
	})
	return nil
}

// beginAdopting returns the lanes that there is room for and that are not being adopted yet.
func (c *counts) beginAdopting(lanes []invocation.Lane) map[invocation.Lane]*store.LaneStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	begun := map[invocation.Lane]*store.LaneStats{}
	for _, l := range lanes {
		if len(c.lanes)+len(c.adopting) >= c.most+adoptedLanes {
			break
		}
		if c.lanes[l] == nil && c.adopting[l] == nil {
			c.adopting[l] = &store.LaneStats{}
			begun[l] = &store.LaneStats{}
		}
	}
	return begun
}

// adopt moves lanes out of the rest: what was found, and what has changed since.
func (c *counts) adopt(found map[invocation.Lane]*store.LaneStats, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for l, n := range found {
		since := c.adopting[l]
		delete(c.adopting, l)
		rest := c.rest[l.Queue]
		if !ok || rest == nil {
			continue
		}
		n.Ready, n.Delayed, n.Dead = n.Ready+since.Ready, n.Delayed+since.Delayed, n.Dead+since.Dead
		n.DeadBytes += since.DeadBytes
		rest.DeadBytes -= n.DeadBytes
		rest.Ready, rest.Delayed, rest.Dead = rest.Ready-n.Ready, rest.Delayed-n.Delayed, rest.Dead-n.Dead
		c.lanes[l] = n
		if *rest == (store.LaneStats{}) {
			c.endRest(l.Queue)
		}
	}
}

// countIn counts lanes by their index entries.
func (s *Store) countIn(from pebble.Reader, lanes map[invocation.Lane]*store.LaneStats) error {
	for l, n := range lanes {
		prefix := appendLaneRange(nil, l)
		err := s.eachIn(from, prefix, after(prefix), func(_, _ []byte) (bool, error) {
			n.Ready++
			return !s.closing(), nil
		})
		if err != nil {
			return err
		}
	}
	for in, prefix := range map[place][]byte{inDelayed: delayedPrefix, inDead: deadPrefix} {
		err := s.eachIn(from, prefix, after(prefix), func(key, value []byte) (bool, error) {
			e, err := parseEntry(in, key, value)
			if n := lanes[e.lane]; err == nil && n != nil {
				(&placeDelta{in: in, n: 1, bytes: int64(e.letter.Size)}).addTo(n)
			}
			return !s.closing(), nil // a damaged entry was noted when it was counted first
		})
		if err != nil {
			return err
		}
	}
	if s.closing() {
		return store.ErrClosed
	}
	return nil
}

// closing reports whether Close has begun, which waits for no long reading.
func (s *Store) closing() bool {
	select {
	case <-s.quit:
		return true
	default:
		return false
	}
}
