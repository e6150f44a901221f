// File txn.go is a batch that is being carried out: what its operations need, column by column.

package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// txn is a batch, and all that has to happen once it is durable.
type txn struct {
	s     *Store
	ctx   context.Context
	conn  *pgx.Conn
	seq   int64
	now   time.Time // when the operation being staged was
	ops   []op
	bytes int

	touched map[invocation.ID]struct{} // ids that operations of this batch settle, or accept once
	first   first
	second  second

	delta       delta
	ready       []store.Ready
	left        []invocation.ID // settled or removed: they are not in flight any more
	changes     []store.Change
	changed     func(error)
	due         time.Time // earliest delayed entry written, zero for none
	back        *place    // where the cursor of due invocations goes back to; nil for nowhere
	tooLate     time.Time // earliest deadline written, zero for none
	notes       []store.Note
	noteBytes   int
	moreNotes   int
	dedupTurned bool // dedup holds from this batch on
	dedup       dedup
	refused     []error // by operation
}

func newTxn(s *Store, ops []op) *txn {
	return &txn{s: s, ops: ops, touched: map[invocation.ID]struct{}{}, first: newFirst()}
}

// touch claims an id for one operation of the batch.
func (t *txn) touch(id invocation.ID) error {
	if _, ok := t.touched[id]; ok {
		return errConflict
	}
	t.touched[id] = struct{}{}
	return nil
}

// changedTo notes what becomes of an invocation.
func (t *txn) changedTo(inv *invocation.Invocation, outcome invocation.Outcome) {
	t.changes = append(t.changes, store.Change{Inv: inv, Outcome: outcome})
}

// row is an invocation as it is written.
type row struct {
	inv     *invocation.Invocation
	rec     []byte
	raw     []byte
	delayed bool
}

func deadlineOf(inv *invocation.Invocation) *int64 {
	if inv.Expires().IsZero() {
		return nil
	}
	n := stamp(inv.Expires())
	return &n
}

func isMailbox(inv *invocation.Invocation) bool { return inv.Source() == invocation.SourceMailbox }

// insert writes a new invocation.
func (t *txn) insert(r row) {
	inv := r.inv
	if inv.State == invocation.Dead {
		t.second.dead = append(t.second.dead, r)
		t.delta.dead(inv.Lane, 1, inv.StoredBytes())
		t.changedTo(inv, invocation.OutcomeDead)
	} else {
		r.delayed = inv.Since.After(t.now)
		t.second.pending = append(t.second.pending, r)
		t.arrive(inv, r.delayed)
		t.changedTo(inv, "")
	}
	t.delta.accepted++
	t.delta.bytes += int64(inv.StoredBytes())
}

// arrive counts a pending invocation in its new place, and has its lane or the timer notified.
func (t *txn) arrive(inv *invocation.Invocation, delayed bool) {
	in := inReady
	if delayed {
		in = inDelayed
		t.due = earlier(t.due, inv.Since)
	} else {
		t.ready = append(t.ready, store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID})
	}
	t.delta.pend(inv.Lane, in, isMailbox(inv), 1)
	t.tooLate = earlier(t.tooLate, inv.Expires())
}

// earlier is the earlier of two times, of which the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// ended remembers how an invocation left the store.
func (t *txn) ended(inv *invocation.Invocation, outcome invocation.Outcome) {
	if outcome == invocation.OutcomeDone {
		t.delta.done++
	} else {
		t.delta.dropped++
	}
	t.changedTo(inv, outcome)
	t.left = append(t.left, inv.ID)
	if t.s.opts.EndTTL <= 0 {
		return
	}
	var e record.Ends
	e.Add(inv, outcome, t.now)
	t.second.finished = append(t.second.finished, finished{inv.ID, stamp(t.now), hash64(inv.CallID), e.Bytes()})
	t.delta.ends++
	t.delta.endBytes += int64(len(e.Bytes()))
}

// query runs a statement of a step, and calls f for each row.
func (t *txn) query(f func(pgx.Rows) error, name string, args ...any) error {
	var unread error // what f returned: it is of one row, and not of the statement
	rows, err := t.conn.Query(t.ctx, statement(name), args...)
	if err == nil {
		err = eachRow(rows, func(rows pgx.Rows) error {
			unread = f(rows)
			return unread
		})
	}
	if unread != nil {
		return unread
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errQuery, err)
	}
	return nil
}

// exec runs a statement of a step, and returns how many rows it has changed.
func (t *txn) exec(name string, args ...any) (int, error) {
	tag, err := t.conn.Exec(t.ctx, statement(name), args...)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errQuery, err)
	}
	return int(tag.RowsAffected()), nil
}

func eachRow(rows pgx.Rows, f func(pgx.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
