// File settled.go has the statements that take settled invocations out of their place.

package postgres

import (
	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// queueSettled takes what is settled out of its place. What is not there any more, or belongs to
// another session by now, is missing in what comes back.
func (t *txn) queueSettled(b *pgx.Batch) {
	f, session := &t.first, t.s.session
	if len(f.leave) > 0 {
		c := columnsOf(f.leave)
		b.Queue(statement("leave"), session, c.ids, c.since).Query(f.take)
	}
	if len(f.retry) > 0 {
		c := columnsOf(f.retry)
		b.Queue(statement("retry"), session, c.ids, c.since, c.next, c.delayed, c.crashes, c.deadlines, c.sizes, c.recs).Query(f.take)
	}
	if len(f.bury) > 0 {
		c := columnsOf(f.bury)
		b.Queue(statement("bury"), session, c.ids, c.since, c.died, c.reasons, c.statuses, c.force, c.sizes, c.recs).Query(f.take)
	}
}

// take reads what was taken out of its place.
func (f *first) take(rows pgx.Rows) error {
	return eachRow(rows, func(rows pgx.Rows) error {
		var id [16]byte
		var x found
		err := rows.Scan(&id, &x.delayed, &x.size, &x.mailbox)
		f.settled[id] = x
		return err
	})
}

// settledColumns are settlements column by column.
type settledColumns struct {
	ids               [][16]byte
	since, next, died []int64
	delayed, force    []bool
	crashes           []int16
	deadlines         []*int64
	sizes, statuses   []int32
	reasons           []string
	recs              [][]byte
}

// needsForce reports whether a bulk replay leaves a dead letter alone.
func needsForce(inv *invocation.Invocation) bool {
	return inv.Superseded || inv.Replays >= store.ManyReplays
}

func columnsOf(all []*settleOp) (c settledColumns) {
	for _, o := range all {
		inv := o.Inv
		c.ids, c.since, c.recs = append(c.ids, o.At.ID), append(c.since, stamp(o.At.Since)), append(c.recs, o.rec)
		c.next, c.died, c.delayed = append(c.next, stamp(inv.Since)), append(c.died, stamp(inv.DiedAt)), append(c.delayed, o.delayed)
		c.crashes, c.deadlines = append(c.crashes, int16(min(inv.Crashes, 1<<15-1))), append(c.deadlines, deadlineOf(inv)) // #nosec G115 -- bounded just here
		c.sizes = append(c.sizes, int32(inv.StoredBytes()))                                                                // #nosec G115 -- bounded by what NATS and HTTP accept
		c.statuses, c.force = append(c.statuses, int32(inv.LastStatus())), append(c.force, needsForce(inv))                // #nosec G115 -- of HTTP
		c.reasons = append(c.reasons, plainText(string(inv.Reason)))
	}
	return c
}
