// File due.go makes delayed invocations ready, and finds those whose deadline has passed.
//
// Delayed invocations are not written when they become ready: those up to a place, the cursor, are.
// The cursor follows the clock in steps, and the lanes are notified of what it passes.

package postgres

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// dueStep is how many invocations one step makes ready or lists as overdue.
const dueStep = 1000

// place is a time and an id: delayed invocations, those of a lane, and deadlines are ordered by both.
type place struct {
	since int64
	id    invocation.ID
}

func placeOf(r store.Ready) place {
	if r.ID.IsZero() && r.Since.IsZero() {
		return place{since: -1}
	}
	return place{stamp(r.Since), r.ID}
}

// due is what has become ready, and when more does.
type due struct {
	mu     sync.Mutex
	at     time.Time // nothing is due before it
	cursor place     // what is delayed up to it is ready
	latest int64     // the latest time that the clock has shown: nothing that is ready is younger
}

// isDelayed reports whether an invocation is delayed that was so when it was written.
func (d *due) isDelayed(p place) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.cursor
	return p.since > c.since || p.since == c.since && string(p.id[:]) > string(c.id[:])
}

// keep is the cursor.
func (d *due) keep() place {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cursor
}

// show notes what the clock shows.
func (d *due) show(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.latest = max(d.latest, stamp(now))
}

func (d *due) high() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return max(d.latest, d.cursor.since)
}

func (d *due) next() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

func (d *due) set(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = at
}

func (d *due) pass(p place) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cursor = p
}

// NextDue is a time before which MoveDue has nothing to move; far in the future when nothing is delayed.
func (s *Store) NextDue() time.Time { return s.due.next() }

// noteDue takes the earliest delayed entry of a batch into account, zero for none.
func (s *Store) noteDue(t time.Time) {
	if t.IsZero() || !t.Before(s.due.next()) {
		return
	}
	s.due.set(t)
	if s.watcher != nil {
		s.watcher.Due(t)
	}
}

// keepBehind makes sure that the cursor is not beyond a delayed invocation that is about to be
// written. It is after the clock was set back: then everything before the cursor is written as ready.
func (t *txn) keepBehind() error {
	c := t.s.due.keep()
	if t.due.IsZero() || stamp(t.due) > c.since {
		return nil
	}
	written := [][16]byte{} // by this batch
	for _, o := range t.first.retry {
		written = append(written, o.At.ID)
	}
	if _, err := t.exec("clear delayed", c.since, [16]byte(c.id), written); err != nil {
		return err
	}
	back := place{since: stamp(t.due) - 1}
	if _, err := t.exec("keep cursor", back.since, [16]byte{}, t.s.due.high()); err != nil {
		return err
	}
	t.back = &back
	return nil
}

// MoveDue makes due invocations ready, at most one step of them, and reports whether more is due
// already.
func (s *Store) MoveDue(ctx context.Context) (more bool, err error) {
	err = s.readAlone(ctx, func(_ context.Context, t *txn) (err error) {
		more, err = t.moveDue()
		return err
	})
	if err != nil {
		return false, err // the committer may still be at work
	}
	return more, nil
}

func (t *txn) moveDue() (more bool, err error) {
	s, now, from := t.s, stamp(t.now), t.s.due.keep()
	s.due.show(t.now)
	next, cursor := never, from
	n := 0
	err = t.query(func(rows pgx.Rows) error {
		var p place
		var id [16]byte
		var lane []byte
		var mailbox bool
		if err := rows.Scan(&id, &lane, &p.since, &mailbox); err != nil {
			return err
		}
		p.id = id
		if next != never {
			return nil
		}
		if p.since > now || n == dueStep {
			next, more = unstamp(p.since), p.since <= now
			return nil
		}
		n++
		cursor = p
		l := parseLane(lane)
		t.delta.place(l, inDelayed, -1)
		t.delta.place(l, inReady, 1)
		t.ready = append(t.ready, store.Ready{Lane: l, Since: unstamp(p.since), ID: p.id})
		return nil
	}, "due", from.since, [16]byte(from.id), dueStep+1)
	if err != nil {
		return false, err
	}
	s.due.pass(cursor)
	s.due.set(next)
	s.counts.apply(&t.delta)
	if s.watcher != nil && len(t.ready) > 0 {
		s.watcher.Ready(t.ready)
	}
	return more, nil
}

// deadline is the earliest deadline of all pending invocations.
type deadline struct {
	asking sync.Mutex // held while the tables are read

	mu      sync.Mutex
	at      time.Time
	reading bool      // the tables are being read
	since   time.Time // the earliest one written since the query began
}

// note takes the earliest deadline of a batch into account, zero for none.
func (d *deadline) note(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at = earlier(d.at, t); d.reading {
		d.since = earlier(d.since, t)
	}
}

func (d *deadline) beginReading() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reading, d.since = true, time.Time{}
}

func (d *deadline) read(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at, d.reading = earlier(at, d.since), false
}

// NextDeadline is a time before which Overdue lists nothing; far in the future when no pending
// invocation has a deadline.
func (s *Store) NextDeadline() time.Time {
	s.deadline.mu.Lock()
	defer s.deadline.mu.Unlock()
	return s.deadline.at
}

// Overdue lists pending invocations whose deadline has passed by Now, the earliest first, at most
// one step of them, beginning after the last of an earlier list.
func (s *Store) Overdue(ctx context.Context, from store.Deadline) (found []store.Deadline, err error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	after := int64(-1)
	if !from.ID.IsZero() {
		after = stamp(from.At)
	}
	err = s.each(ctx, func(rows pgx.Rows) error {
		var id [16]byte
		var at int64
		err := rows.Scan(&id, &at)
		found = append(found, store.Deadline{At: unstamp(at), ID: id})
		return err
	}, statement("overdue"), stamp(s.now()), after, [16]byte(from.ID), s.session, dueStep)
	if err != nil || len(found) > 0 {
		return found, err
	}
	s.deadline.asking.Lock()
	defer s.deadline.asking.Unlock()
	s.deadline.beginReading()
	next := int64(math.MaxInt64)
	err = s.pool.QueryRow(ctx, statement("next deadline")).Scan(&next)
	s.deadline.read(unstamp(next))
	return nil, err
}
