// File deadline.go has the index of the pending invocations that have a deadline. Those
// without one are not in it and cost nothing.

package embedded

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// overdueStep is how many invocations one call of Overdue lists.
const overdueStep = 1000

// deadline is the earliest time at which any deadline may pass.
type deadline struct {
	mu     sync.Mutex
	at     time.Time
	writes int // batches that wrote any
}

// NextDeadline is a time before which Overdue lists nothing; far in the future when no
// pending invocation has a deadline.
func (s *Store) NextDeadline() time.Time {
	s.deadline.mu.Lock()
	defer s.deadline.mu.Unlock()
	return s.deadline.at
}

// note takes the earliest deadline of a batch into account, zero for none.
func (d *deadline) note(t time.Time) {
	if t.IsZero() {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes++
	if t.Before(d.at) {
		d.at = t
	}
}

// read returns the earliest deadline and how many batches have written any.
func (d *deadline) read() (at time.Time, writes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at, d.writes
}

// raise takes over what was read from the index, unless a deadline was written meanwhile.
func (d *deadline) raise(t time.Time, writes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.writes == writes {
		d.at = t
	}
}

// Overdue lists pending invocations whose deadline has passed, the earliest first, at most one
// step of them, beginning after the last of an earlier list; the zero Deadline stands for the
// beginning.
func (s *Store) Overdue(ctx context.Context, from store.Deadline) (found []store.Deadline, err error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	now := s.now()
	first, writes := s.deadline.read()
	// What is deleted but not yet compacted is passed over.
	lower := appendTimedKey(nil, deadlinePrefix, first, invocation.ID{})
	if !from.ID.IsZero() {
		lower = append(appendTimedKey(nil, deadlinePrefix, from.At, from.ID), 0)
	}
	next := never
	err = s.each(lower, after(deadlinePrefix), func(key, _ []byte) (bool, error) {
		if len(key) != len(deadlinePrefix)+tailLen {
			_ = s.damaged(errBadKey) // costs this entry only
			return true, nil
		}
		at, id := parseTail(key)
		if at.Before(next) {
			next = at
		}
		if !at.Before(now) || len(found) == overdueStep {
			return false, nil
		}
		found = append(found, store.Deadline{At: at, ID: id})
		return true, ctx.Err()
	})
	if err == nil && from.ID.IsZero() {
		s.deadline.raise(next, writes)
	}
	return found, s.unlessOver(ctx, err)
}

// setDeadline writes the entry of a pending invocation that has a deadline.
func (t *txn) setDeadline(inv *invocation.Invocation) {
	at := inv.Expires()
	if at.IsZero() || inv.State == invocation.Dead {
		return
	}
	t.set(appendTimedKey(t.key[:0], deadlinePrefix, at, inv.ID), nil)
	if t.tooLate.IsZero() || at.Before(t.tooLate) {
		t.tooLate = at
	}
}

// leaveDeadline deletes the entry of a pending invocation; at is zero for one without a
// deadline.
func (t *txn) leaveDeadline(id invocation.ID, at time.Time) {
	if !at.IsZero() {
		t.unset(appendTimedKey(t.key[:0], deadlinePrefix, at, id))
	}
}

// deadlineOf reads which deadline is in the index for an invocation that is about to be
// settled. A settlement never removes one, so where inv has none there is none.
func (t *txn) deadlineOf(inv *invocation.Invocation) (time.Time, error) {
	if inv.Expires().IsZero() {
		return time.Time{}, nil
	}
	stored, err := t.s.get(inv.ID)
	if errors.Is(err, store.ErrNotFound) {
		return time.Time{}, nil // the index entry decides whether it is there
	}
	if err != nil {
		return time.Time{}, err
	}
	return stored.Expires(), nil
}

// openDeadlines finds the earliest deadline.
func (s *Store) openDeadlines() error {
	return s.each(deadlinePrefix, after(deadlinePrefix), func(key, _ []byte) (bool, error) {
		if len(key) != len(deadlinePrefix)+tailLen {
			_ = s.damaged(errBadKey)
			return true, nil
		}
		s.deadline.at, _ = parseTail(key)
		return false, nil
	})
}

// addDeadlines makes the index for the records of an older layout. After a power cut it is
// made again; no key is ever set twice, see unset.
func (s *Store) addDeadlines() error {
	b := s.db.NewBatch()
	defer func() { _ = b.Close() }()
	err := s.each(recordPrefix, after(recordPrefix), func(key, value []byte) (bool, error) {
		inv, err := recordOf(key, value)
		if err != nil {
			return true, nil //nolint:nilerr // it is for the check
		}
		if inv.State == invocation.Dead || inv.Expires().IsZero() {
			return true, nil
		}
		entry := appendTimedKey(nil, deadlinePrefix, inv.Expires(), inv.ID)
		if there, err := s.has(entry); there || err != nil {
			return err == nil, err
		}
		_ = b.Set(entry, nil, nil) // a batch in memory takes any write
		if b.Len() < batchBytes {
			return true, nil
		}
		err = b.Commit(pebble.NoSync) // what sets the version syncs it
		b.Reset()
		return err == nil, err
	})
	return errors.Join(err, b.Commit(pebble.NoSync))
}
