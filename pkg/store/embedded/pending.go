// File pending.go reads pending invocations.

package embedded

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Pending reads up to limit invocations that wait to be called, beginning after
// the cursor of an earlier page ("" for the start): those that are ready, lane by
// lane, then those that are delayed, by due time. next is "" at the end. A page
// may be short or empty and yet have a next, because one page looks at a bounded
// number of invocations. What stays in its place is listed exactly once; what
// moves from one to another meanwhile may come twice or not at all.
func (s *Store) Pending(ctx context.Context, f store.PendingFilter, cursor string, limit int) (page []*invocation.Invocation, next string, err error) {
	w := pendingWalk{walk: walk{s: s, left: newLook()}, f: &f}
	if w.last, err = parsePendingCursor(cursor); err != nil {
		return nil, "", err
	}
	if limit <= 0 {
		return nil, cursor, nil
	}
	if err := s.enter(); err != nil {
		return nil, "", err
	}
	defer s.leave()
	for _, r := range w.ranges() {
		err := s.each(r.lower, r.upper, func(key, value []byte) (bool, error) {
			return w.visit(ctx, r.in, key, value, len(w.page) < limit, w.passes, w.read)
		})
		if err != nil {
			return nil, "", s.unlessOver(ctx, err)
		}
		if w.more {
			return w.page, base64.RawURLEncoding.EncodeToString(w.last), nil
		}
	}
	return w.page, "", nil
}

// parsePendingCursor reads a cursor, which is the key of an index entry.
func parsePendingCursor(cursor string) ([]byte, error) {
	if cursor == "" {
		return nil, nil
	}
	key, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, store.ErrBadCursor
	}
	switch {
	case bytes.HasPrefix(key, readyPrefix) && len(key) > len(readyPrefix)+tailLen:
		_, err = parseReady(key)
	case bytes.HasPrefix(key, delayedPrefix) && len(key) == len(delayedPrefix)+tailLen:
	default:
		err = store.ErrBadCursor
	}
	if err != nil {
		return nil, store.ErrBadCursor
	}
	return key, nil
}

// pendingWalk goes over pending invocations for one page.
type pendingWalk struct {
	walk
	f    *store.PendingFilter
	page []*invocation.Invocation
}

// passes reports whether the lane of an entry passes.
func (w *pendingWalk) passes(e *entry) bool { return w.passesLane(e.lane) }

func (w *pendingWalk) passesLane(l invocation.Lane) bool {
	f := w.f
	return (f.Queue == "" || f.Queue == l.Queue) && (f.Function == "" || f.Function == l.Name)
}

// span is a part of an index.
type span struct {
	in           place
	lower, upper []byte
}

// ranges are what is still to be looked at: the ready ones of each lane that
// passes, in the order of their keys, then the delayed ones.
func (w *pendingWalk) ranges() []span {
	var all []span
	if w.f.State != store.StateDelayed {
		all = w.readyRanges()
	}
	// "d/" comes before "r/", but is listed after it.
	fromDelayed := bytes.HasPrefix(w.last, delayedPrefix)
	if fromDelayed {
		all = nil
	}
	next := append(bytes.Clone(w.last), 0)
	for len(all) > 0 && w.last != nil && bytes.Compare(all[0].upper, next) <= 0 {
		all = all[1:]
	}
	if len(all) > 0 && w.last != nil && bytes.Compare(next, all[0].lower) > 0 {
		all[0].lower = next
	}
	if w.f.State == store.StateReady {
		return all
	}
	delayed := span{inDelayed, delayedPrefix, after(delayedPrefix)}
	if fromDelayed {
		delayed.lower = next
	}
	return append(all, delayed)
}

// readyRanges are those of the lanes that pass. Where not every lane is counted by
// itself, they are all lanes, or those of the one name in each queue.
func (w *pendingWalk) readyRanges() (all []span) {
	rest := w.s.Rest()
	if len(rest) > 0 && w.f.Function == "" {
		return []span{{inReady, readyPrefix, after(readyPrefix)}}
	}
	lanes := w.s.Lanes()
	for queue := range rest {
		l := invocation.Lane{Queue: queue, Name: w.f.Function}
		n := lanes[l]
		n.Ready++ // it may have some
		lanes[l] = n
	}
	for l, n := range lanes {
		if n.Ready > 0 && w.passesLane(l) {
			prefix := appendLaneRange(nil, l)
			all = append(all, span{inReady, prefix, after(prefix)})
		}
	}
	slices.SortFunc(all, func(a, b span) int { return bytes.Compare(a.lower, b.lower) })
	return all
}

// read adds an invocation to the page, if it is still where its entry says. One
// whose record cannot be read is listed with what the entry has.
func (w *pendingWalk) read(e *entry) {
	inv, err := w.record(e)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		if w.f.Until.IsZero() {
			w.page = append(w.page, &invocation.Invocation{
				ID: e.id, Lane: e.lane, Since: e.at, Size: e.size, Detail: "its record cannot be read; run the store check",
			})
		}
	case !w.f.Until.IsZero() && !inv.Accepted.Before(w.f.Until):
	default:
		w.page = append(w.page, inv)
	}
}

// Oldest returns since when the invocation is ready that is first in a lane,
// those in flight included. False when nothing is ready in it.
func (s *Store) Oldest(_ context.Context, lane invocation.Lane) (since time.Time, ok bool) {
	if n, counted := s.counts.lane(lane); counted && n.Ready == 0 {
		return time.Time{}, false // spares a search among what was deleted
	}
	prefix := appendLaneRange(nil, lane)
	_ = s.reading(prefix, after(prefix), func(key, _ []byte) (bool, error) {
		since, _ = parseTail(key)
		ok = true
		return false, nil
	})
	return since, ok
}
