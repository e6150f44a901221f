// File due.go moves due invocations to their lanes, in bounded steps.

package embedded

import (
	"bytes"
	"context"
	"math"
	"sync"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// dueStep is how many invocations one step moves. A step is one batch, so it
// bounds the memory and the time for which others wait, however many fall due
// at once.
const dueStep = 1000

// Waits after a step that could not read all that is due: the first, doubled up to the
// longest while nothing is moved.
const (
	firstDueWait   = 200 * time.Millisecond
	longestDueWait = 30 * time.Second
)

// never is the earliest due time when nothing is delayed.
var never = time.Unix(0, math.MaxInt64)

// due is the earliest time at which anything may fall due.
type due struct {
	mu sync.Mutex
	at time.Time
}

// Now is the time by which invocations become due.
func (s *Store) Now() time.Time { return s.now() }

// NextDue is a time before which MoveDue has nothing to move; far in the future when
// nothing is delayed. While the index is damaged, MoveDue is due again after a wait.
func (s *Store) NextDue() time.Time {
	s.due.mu.Lock()
	defer s.due.mu.Unlock()
	return s.due.at
}

func (s *Store) setDue(t time.Time) {
	s.due.mu.Lock()
	defer s.due.mu.Unlock()
	s.due.at = t
}

// noteDue takes the earliest entry of a batch into account, zero for none.
func (s *Store) noteDue(t time.Time) {
	if t.IsZero() {
		return
	}
	early := s.dueWait == 0 // behind damage, nothing can be moved any earlier
	if s.dueCursor != nil {
		if k := appendTimedKey(nil, delayedPrefix, t, invocation.ID{}); bytes.Compare(k, s.dueCursor) < 0 {
			s.dueCursor, early = k, true
		}
	}
	if early && t.Before(s.NextDue()) {
		s.setDue(t)
		if s.watcher != nil {
			s.watcher.Due(t)
		}
	}
}

// MoveDue makes due invocations ready, at most one step of them, and reports whether
// more is due already. It returns when the step is durable. After an error of
// reading, what was read before it has been moved all the same.
func (s *Store) MoveDue(ctx context.Context) (more bool, err error) {
	o := &dueOp{}
	if err := s.doAlone(ctx, o.stage); err != nil {
		return false, err
	}
	return o.more, o.broken
}

type dueOp struct {
	more   bool
	broken error // of reading, after what was moved
}

// stage begins a batch, because it reads what any other operation of the same
// batch may write. Operations that come after it in the batch do no harm.
func (o *dueOp) stage(t *txn) error {
	s := t.s
	lower := delayedPrefix
	if s.dueCursor != nil {
		lower = s.dueCursor // passes over what is deleted but not yet compacted
	}
	it, err := iterate(s.db, lower, after(delayedPrefix))
	if err != nil {
		s.postponeDue(t.now, 0)
		return s.damaged(err)
	}
	next, moved := o.move(t, it)
	if o.broken = s.damaged(closing(it.Error(), it)); o.broken == nil {
		s.dueWait = 0
		s.setDue(next)
		return nil
	}
	s.postponeDue(t.now, moved)
	if moved == 0 {
		return o.broken
	}
	return nil
}

// postponeDue sets when MoveDue is due again after an error of reading.
func (s *Store) postponeDue(now time.Time, moved int) {
	if moved > 0 {
		s.dueWait = 0
	}
	s.dueWait = min(max(2*s.dueWait, firstDueWait), longestDueWait)
	s.setDue(now.Add(s.dueWait))
}

// move writes one step, and returns when the first entry after it falls due and
// how many it has moved.
func (o *dueOp) move(t *txn, it *ordered) (next time.Time, moved int) {
	for ok := it.First(); ok; ok = it.Next() {
		e, err := parseEntry(inDelayed, it.Key(), it.Value())
		if err != nil {
			_ = t.s.damaged(err) // costs this entry only
			continue
		}
		t.s.dueCursor = append(t.s.dueCursor[:0], it.Key()...)
		if e.at.After(t.now) || moved == dueStep {
			o.more = !e.at.After(t.now)
			return e.at, moved
		}
		t.unset(append(t.key[:0], it.Key()...))
		t.delta.pend(e.lane, inDelayed, e.source, -1)
		t.putReady(store.Ready{Lane: e.lane, Since: e.at, ID: e.id}, e.size, e.source)
		t.touched[e.id] = struct{}{}
		moved++
	}
	return never, moved
}
