// File recover.go makes invocations ready again that were in flight when the worker before this one
// crashed, counts the crash, and buries those that crashed too often before any call.

package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// recover settles what sessions that are no more own, all in one batch, so that a start that is cut
// short counts all or none.
func (s *Store) recover(ctx context.Context) error {
	o := &recoverOp{call: make(call, 1)}
	if err := s.wait(ctx, o, o.call); err != nil {
		return err
	}
	s.recovered = o.found
	return nil
}

type recoverOp struct {
	call
	found store.Recovered
}

func (o *recoverOp) size() int        { return 0 }
func (o *recoverOp) begin(*txn) error { return nil }

// owned is an invocation that a session owns which is no more.
type owned struct {
	pendingRow
	crashed bool // the session did not end in good order
}

func (o *recoverOp) stage(t *txn) error {
	o.found = store.Recovered{}
	// Owners are in no index, so all of the table is read, once.
	if _, err := t.conn.Exec(t.ctx, "SET LOCAL enable_seqscan = on"); err != nil {
		return fmt.Errorf("%w: %w", errQuery, err)
	}
	all, err := t.ownedByOthers()
	if err != nil {
		return err
	}
	var ids [][16]byte
	var crashes []int16
	var poison []*invocation.Invocation
	for _, x := range all {
		if x.crashed {
			o.found.InFlight++
			x.inv.Crashes++
		}
		if x.crashed && x.inv.Crashes >= store.PoisonLimit {
			t.leavePlace(store.Ready{Lane: x.inv.Lane, Since: x.inv.Since, ID: x.inv.ID}, found{delayed: x.delayed, mailbox: isMailbox(x.inv)})
			poison = append(poison, x.inv)
			continue
		}
		ids, crashes = append(ids, x.inv.ID), append(crashes, int16(x.inv.Crashes)) // #nosec G115 -- below the limit
	}
	if _, err := t.exec("count crashes", ids, crashes); err != nil {
		return err
	}
	o.found.Poisoned = poison
	if err := t.poison(poison); err != nil {
		return err
	}
	_, err = t.exec("forget sessions", t.s.session)
	return err
}

func (t *txn) ownedByOthers() (all []owned, err error) {
	err = t.query(func(rows pgx.Rows) error {
		var id [16]byte
		var x owned
		var crashes int
		var rec []byte
		err := rows.Scan(&id, &x.delayed, &crashes, &rec, &x.crashed)
		if err == nil {
			x.inv, err = decode(id, crashes, rec)
		}
		all = append(all, x)
		return err
	}, "in flight", t.s.session)
	return all, err
}

// poison buries invocations.
func (t *txn) poison(all []*invocation.Invocation) error {
	for _, inv := range all {
		since := stamp(inv.Since)
		if !inv.Job.IsZero() {
			t.second.tally(inv.Job).Count(invocation.OutcomeDead)
		}
		inv.State, inv.Reason, inv.DiedAt = invocation.Dead, invocation.Poison, t.now
		inv.Detail = "the worker crashed each time while it was in flight"
		t.changedTo(inv, invocation.OutcomeDead)
		t.delta.dead(inv.Lane, 1, inv.StoredBytes())
		if _, err := t.exec("disown", [16]byte(inv.ID)); err != nil {
			return err
		}
		_, err := t.exec("bury", t.s.session, [][16]byte{inv.ID}, []int64{since}, []int64{stamp(inv.DiedAt)}, []string{string(inv.Reason)},
			[]int32{int32(inv.LastStatus())}, []bool{needsForce(inv)}, []int32{int32(inv.StoredBytes())}, [][]byte{record.Encode(inv)}) // #nosec G115 -- small
		if err != nil {
			return err
		}
	}
	return nil
}
