// File cancel.go cancels pending invocations.

package postgres

import (
	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// cancel removes pending invocations.
func (o *actOp) cancel(t *txn) error {
	pending, err := t.pendingRows("pending to change", uuids(o.ids))
	if err != nil {
		return err
	}
	dead := map[invocation.ID]bool{}
	err = t.query(func(rows pgx.Rows) error {
		var id [16]byte
		err := rows.Scan(&id)
		dead[id] = true
		return err
	}, "are dead", uuids(o.ids))
	if err != nil {
		return err
	}
	var ids [][16]byte
	for i := range o.taken {
		x := &o.taken[i]
		p, ok := pending[x.ID]
		switch {
		case o.Except != nil && o.Except(x.ID):
		case dead[x.ID]:
			x.Err = store.ErrDead
		case ok:
			x.Inv, x.Err = p.inv, nil
			ids = append(ids, x.ID)
			last, err := t.lastCallback(p.inv)
			if err != nil {
				return err
			}
			t.cancelled(p)
			if last != nil {
				t.follow(newRow(last))
			}
		}
	}
	if len(ids) > 0 {
		_, err = t.exec("remove pending", ids)
	}
	return err
}

// pendingRow is a pending invocation that is about to change.
type pendingRow struct {
	inv     *invocation.Invocation
	delayed bool
}

// pendingRows reads pending invocations that are about to change.
func (t *txn) pendingRows(name string, args ...any) (map[invocation.ID]pendingRow, error) {
	all := map[invocation.ID]pendingRow{}
	err := t.query(func(rows pgx.Rows) error {
		var id [16]byte
		var p pendingRow
		var crashes int
		var rec []byte
		err := rows.Scan(&id, &p.delayed, &crashes, &rec)
		if err == nil {
			p.inv, err = decode(id, crashes, rec)
		}
		all[id] = p
		return err
	}, name, args...)
	return all, err
}

// cancelled counts a pending invocation that is removed.
func (t *txn) cancelled(p pendingRow) {
	inv := p.inv
	t.leavePlace(store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}, found{delayed: p.delayed, mailbox: isMailbox(inv)})
	t.delta.bytes -= int64(inv.StoredBytes())
	if !inv.Job.IsZero() {
		t.second.tally(inv.Job).Count(invocation.OutcomeCancelled)
	}
	t.ended(inv, invocation.OutcomeCancelled)
}

// lastCallback makes the callback of a replayed invocation that is cancelled, nil for none.
func (t *txn) lastCallback(inv *invocation.Invocation) (*store.Accept, error) {
	if inv.Replays == 0 || inv.Kind != invocation.KindFunction || t.s.opts.LastCallback == nil {
		return nil, nil
	}
	var raw []byte
	err := t.query(func(rows pgx.Rows) error { return rows.Scan(&raw) }, "request", [16]byte(inv.ID))
	if err != nil {
		return nil, err
	}
	return t.s.opts.LastCallback(inv, raw), nil
}
