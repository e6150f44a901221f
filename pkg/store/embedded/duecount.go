// File duecount.go counts delayed invocations by when they become due.

package embedded

import (
	"context"
	"time"

	"queue-worker/pkg/store"
)

// Due counts delayed invocations by when they become due. It reads the index only, at most as many
// entries as every look.
func (s *Store) Due(ctx context.Context, f store.PendingFilter, ends []time.Time) (counts []int, whole bool, err error) {
	counts, whole = make([]int, len(ends)), true
	if len(ends) == 0 {
		return counts, whole, nil
	}
	if err := s.enter(); err != nil {
		return nil, false, err
	}
	defer s.leave()
	w, left, at := pendingWalk{f: &f}, newLook(), 0
	err = s.each(delayedPrefix, after(delayedPrefix), func(key, value []byte) (bool, error) {
		if err := left.next(ctx); err != nil {
			return false, err
		}
		if whole = !left.over(); !whole {
			return false, nil
		}
		e, err := parseEntry(inDelayed, key, value)
		if err != nil {
			_ = s.damaged(err) // costs this entry only
			return true, nil
		}
		for at < len(ends) && !e.at.Before(ends[at]) {
			at++
		}
		if at < len(ends) && w.passesLane(e.lane) {
			counts[at]++
		}
		return at < len(ends), nil
	})
	if err != nil {
		return nil, false, s.unlessOver(ctx, err)
	}
	return counts, whole, nil
}
