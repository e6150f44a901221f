// File expire.go keeps the bounds of the dead set: beyond its age the oldest are dropped, beyond its
// bytes the oldest of the class that uses most, so that one sender does not evict the letters of others.

package postgres

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Bounds of one step: letters that are removed or looked at, and functions that Bounds.Known is
// asked about.
const (
	expireStep = 1000
	lookStep   = 20_000
	mostAsked  = 500
)

// Expire drops dead letters that are beyond the bounds, at most one step of them, and returns them:
// those that are too old, then the oldest of the class that uses most bytes. Call it again while it
// returns any.
func (s *Store) Expire(ctx context.Context, b store.Bounds) (x store.Expired, err error) {
	if b.MaxAge > 0 {
		err = s.do(ctx, 0, func(t *txn) (err error) {
			x.Letters, err = t.expire("too old", stamp(t.now.Add(-b.MaxAge)), expireStep)
			return err
		})
		if err != nil {
			return store.Expired{}, err // the committer may still be at work
		}
	}
	if len(x.Letters) > 0 || b.MaxBytes <= 0 {
		return x, nil
	}
	s.evicting.Lock()
	defer s.evicting.Unlock()
	return (&eviction{s: s, b: b, known: map[string]bool{}}).run(ctx)
}

// expire drops the dead letters that a statement reads, in its order.
func (t *txn) expire(name string, args ...any) (letters []*invocation.Invocation, err error) {
	err = t.query(func(rows pgx.Rows) error {
		inv, err := scanLetter(rows)
		letters = append(letters, inv)
		return err
	}, name, args...)
	if err != nil {
		return nil, err
	}
	return letters, t.drop(letters)
}

// drop removes dead letters.
func (t *txn) drop(letters []*invocation.Invocation) error {
	if len(letters) == 0 {
		return nil
	}
	var ids [][16]byte
	for _, inv := range letters {
		ids = append(ids, inv.ID)
		t.leaveDead(inv)
		t.delta.bytes -= int64(inv.StoredBytes())
		t.ended(inv, invocation.OutcomeDropped)
	}
	_, err := t.exec("remove dead", ids)
	return err
}

// eviction is one step that removes letters because of their bytes.
type eviction struct {
	s     *Store
	b     store.Bounds
	known map[string]bool // answers of Bounds.Known
}

// run removes letters of the largest class that has any.
func (e *eviction) run(ctx context.Context) (store.Expired, error) {
	barren := map[string]bool{}
	for ctx.Err() == nil && e.s.Stats().DeadBytes > e.b.MaxBytes {
		class, excess := e.largest(ctx, barren)
		if class == "" {
			return store.Expired{}, nil
		}
		ids, err := e.choose(ctx, class, excess)
		if err != nil {
			return store.Expired{}, err
		}
		if len(ids) == 0 {
			barren[class] = true
			continue
		}
		letters, err := e.remove(ctx, ids)
		if err != nil || len(letters) > 0 {
			return store.Expired{Class: class, Letters: letters}, err
		}
	}
	return store.Expired{}, ctx.Err()
}

// largest returns the class that uses most and by how much it is above the level that brings all
// within the bound. Functions are asked about from the largest on; those beyond mostAsked count as
// unknown.
func (e *eviction) largest(ctx context.Context, barren map[string]bool) (class string, excess int64) {
	names, sizes := e.s.deadBytesByName(), map[string]int64{}
	order := slices.SortedFunc(maps.Keys(names), func(a, b string) int {
		return cmp.Or(cmp.Compare(names[b], names[a]), cmp.Compare(a, b))
	})
	for _, name := range order {
		e.ask(ctx, name)
		sizes[e.class(name)] += names[name]
	}
	for c, n := range sizes {
		if !barren[c] && n > 0 && (class == "" || n > sizes[class] || n == sizes[class] && c < class) {
			class = c
		}
	}
	return class, max(1, sizes[class]-level(slices.Collect(maps.Values(sizes)), e.b.MaxBytes))
}

// ask asks whether there is a function, unless that is known or too many were asked about.
func (e *eviction) ask(ctx context.Context, name string) {
	if _, known := e.known[name]; known || e.b.Known == nil || name == "" || invocation.IsCallbackLane(name) || len(e.known) >= mostAsked || ctx.Err() != nil {
		return
	}
	e.known[name] = e.b.Known(ctx, name)
}

// class is the class of a lane by its name.
func (e *eviction) class(name string) string {
	switch {
	case invocation.IsCallbackLane(name):
		return store.ClassCallbacks
	case e.known[name]:
		return name
	}
	return store.ClassUnknown
}

// level is what each class may use at most so that all together use no more than limit.
func level(sizes []int64, limit int64) int64 {
	slices.Sort(sizes)
	for i, n := range sizes {
		share := limit / int64(len(sizes)-i)
		if n > share {
			return share
		}
		limit -= n
	}
	return limit
}

// choose finds the oldest letters of a class, up to one step or excess bytes.
func (e *eviction) choose(ctx context.Context, class string, excess int64) (ids []invocation.ID, err error) {
	ctx, done, err := e.s.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	for from, more := (place{since: -1}), true; more && excess > 0 && len(ids) < expireStep; {
		n := 0
		err = e.s.each(ctx, func(rows pgx.Rows) error {
			var id [16]byte
			var lane []byte
			var size int64
			if err := rows.Scan(&id, &lane, &from.since, &size); err != nil {
				return err
			}
			from.id, n = id, n+1
			if excess > 0 && len(ids) < expireStep && e.class(parseLane(lane).Name) == class {
				ids, excess = append(ids, id), excess-size
			}
			return nil
		}, statement("oldest dead"), from.since, [16]byte(from.id), lookStep)
		if err != nil {
			return nil, err
		}
		more = n == lookStep
	}
	return ids, nil
}

// remove drops letters that were chosen, in their order, until the rest is within the bound. One
// that was replayed or dropped since is left out.
func (e *eviction) remove(ctx context.Context, ids []invocation.ID) (letters []*invocation.Invocation, err error) {
	err = e.s.do(ctx, 0, func(t *txn) error {
		letters = nil
		found, err := t.letters("dead to change", uuids(ids))
		if err != nil {
			return err
		}
		held := e.s.Stats().DeadBytes
		for _, id := range ids {
			if inv := found[id]; inv != nil && held > e.b.MaxBytes {
				letters = append(letters, inv)
				held -= int64(inv.StoredBytes())
			}
		}
		return t.drop(letters)
	})
	if err != nil {
		return nil, err // the committer may still be at work
	}
	return letters, nil
}

// deadBytesByName returns the bytes of dead letters by the names of lanes; those that are not
// counted by lane belong to the lane without a name.
func (s *Store) deadBytesByName() map[string]int64 {
	names := map[string]int64{}
	for l, n := range s.Lanes() {
		if n.DeadBytes > 0 {
			names[l.Name] += n.DeadBytes
		}
	}
	for _, n := range s.Rest() {
		names[""] += n.DeadBytes
	}
	return names
}
