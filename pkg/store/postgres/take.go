// File take.go hands out ready invocations.
//
// Take only looks. An invocation is owned by the session from LoadReady on, which comes right before
// the call: so what is owned at a crash was in flight. The loader carries out the loads that have
// arrived meanwhile with one statement.

package postgres

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/crash"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// loadMost is how many invocations one statement loads at most.
const loadMost = 256

// Take returns up to limit ready entries of a lane that come after the entry from. Those that
// another session has in flight are left out. It waits while the server cannot be reached.
func (s *Store) Take(ctx context.Context, lane invocation.Lane, from store.Ready, limit int) (found []store.Ready, err error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	p := placeOf(from)
	err = s.patiently(ctx, func(ctx context.Context) error {
		found = found[:0]
		c := s.due.keep()
		s.due.show(s.now())
		rows, err := s.pool.Query(ctx, statement("look"), laneBytes(lane), p.since, [16]byte(p.id), s.due.high(), c.since, [16]byte(c.id), s.session, limit)
		if err != nil {
			return err
		}
		return eachRow(rows, func(rows pgx.Rows) error {
			var id [16]byte
			var since int64
			err := rows.Scan(&id, &since)
			found = append(found, store.Ready{Lane: lane, Since: unstamp(since), ID: id})
			return err
		})
	})
	return found, err
}

// Give gives back entries that were taken and will not be called.
func (s *Store) Give(ctx context.Context, entries []store.Ready) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	owned := s.loader.among(entries)
	if len(owned) == 0 {
		return nil
	}
	if _, err := s.pool.Exec(ctx, statement("give back"), s.session, uuids(owned)); err != nil {
		return err
	}
	s.loader.forget(owned)
	return nil
}

// ReadyLanes reads up to limit lanes that have anything ready, those of URLs or those of functions,
// in the order of their queues and names, beginning after a lane.
func (s *Store) ReadyLanes(ctx context.Context, from invocation.Lane, urls bool, limit int) (found []invocation.Lane, err error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	after := []byte{}
	if from != (invocation.Lane{}) {
		after = laneBytes(from)
	}
	err = s.patiently(ctx, func(ctx context.Context) error {
		found = nil
		c := s.due.keep()
		s.due.show(s.now())
		return s.each(ctx, func(rows pgx.Rows) error {
			var lane []byte
			err := rows.Scan(&lane)
			found = append(found, parseLane(lane))
			return err
		}, statement("ready lanes"), after, []byte(invocation.CallbackLanePrefix), urls, s.due.high(), c.since, [16]byte(c.id), limit)
	})
	return found, err
}

// Hold does nothing: what is in flight is owned by the session since LoadReady.
func (s *Store) Hold(int, invocation.ID) {}

// Release does nothing: see Hold.
func (s *Store) Release(int) {}

// loading is one LoadReady.
type loading struct {
	store.Ready
	answer chan loaded
}

type loaded struct {
	store.Loaded
	err error
}

// loader carries out loads.
type loader struct {
	link  link
	asked chan *loading

	mu    sync.Mutex
	owned map[invocation.ID]struct{}
}

func (l *loader) note(id invocation.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owned[id] = struct{}{}
}

func (l *loader) forget(ids []invocation.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		delete(l.owned, id)
	}
}

// all is what is in flight.
func (l *loader) all() (ids []invocation.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.owned {
		ids = append(ids, id)
	}
	return ids
}

// among is what is in flight of some entries.
func (l *loader) among(entries []store.Ready) (ids []invocation.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range entries {
		if _, ok := l.owned[r.ID]; ok {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// LoadReady reads a ready invocation, in order to call it, and owns it from then on. ErrNotFound
// means that it is no longer there, in another place, or in flight at another worker. It waits while
// the server cannot be reached.
func (s *Store) LoadReady(ctx context.Context, r store.Ready) (store.Loaded, error) {
	if err := s.enter(); err != nil {
		return store.Loaded{}, err
	}
	defer s.leave()
	l := &loading{Ready: r, answer: make(chan loaded, 1)}
	select {
	case s.loader.asked <- l:
	case <-ctx.Done():
		return store.Loaded{}, ctx.Err()
	}
	select {
	case x := <-l.answer:
		return x.Loaded, x.err
	case <-ctx.Done():
		return store.Loaded{}, ctx.Err()
	}
}

// loadLoop carries out loads until the store is closed: those that LoadReady waits for were asked
// for before.
func (s *Store) loadLoop() {
	defer crash.LogPanic(s.log, "loader")
	for {
		select {
		case l := <-s.loader.asked:
			s.loadAll(l)
		case <-s.committed:
			return
		}
	}
}

// loadAll loads what has arrived.
func (s *Store) loadAll(first *loading) {
	all := []*loading{first}
	for more := true; more && len(all) < loadMost; {
		select {
		case l := <-s.loader.asked:
			all = append(all, l)
		default:
			more = false
		}
	}
	var found map[invocation.ID]store.Loaded
	err := s.patiently(s.life, func(ctx context.Context) (err error) {
		found, err = s.own(ctx, all)
		if err != nil {
			s.loader.link.drop()
		}
		return err
	})
	for _, l := range all {
		x := loaded{err: err}
		if got, ok := found[l.ID]; err == nil && ok && holds(l.Ready, got.Inv) {
			x.Loaded = copyOf(got)
		} else if err == nil {
			x.err = store.ErrNotFound
		}
		l.answer <- x
	}
}

// holds reports whether an invocation stands where r says.
func holds(r store.Ready, inv *invocation.Invocation) bool {
	return inv.State == invocation.Pending && inv.Lane == r.Lane && stamp(inv.Since) == stamp(r.Since)
}

// copyOf is an invocation of its own for each of those who load one at once.
func copyOf(l store.Loaded) store.Loaded {
	inv := *l.Inv
	return store.Loaded{Inv: &inv, Raw: append([]byte{}, l.Raw...)}
}

// own makes the session the owner of invocations, and reads them.
func (s *Store) own(ctx context.Context, all []*loading) (map[invocation.ID]store.Loaded, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	conn, err := s.loader.link.get(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *loading) int { return bytes.Compare(a.ID[:], b.ID[:]) }) // as everything locks rows
	var ids [][16]byte
	var since []int64
	for _, l := range all {
		ids, since = append(ids, l.ID), append(since, stamp(l.Since))
	}
	rows, err := conn.Query(ctx, statement("own"), s.session, ids, since)
	if err != nil {
		return nil, err
	}
	found := map[invocation.ID]store.Loaded{}
	return found, eachRow(rows, func(rows pgx.Rows) error {
		var id [16]byte
		var crashes int
		var rec, raw []byte
		if err := rows.Scan(&id, &crashes, &rec, &raw); err != nil {
			return err
		}
		inv, err := record.Decode(id, rec)
		if err != nil {
			return err
		}
		inv.Crashes = max(inv.Crashes, crashes)
		found[id] = store.Loaded{Inv: inv, Raw: raw}
		s.loader.note(id)
		return nil
	})
}
