// File poison.go makes invocations ready again that were in flight at a crash, counts the
// crash, and buries those that crashed too often before any call.

package embedded

import (
	"context"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// Recovered returns the invocations that were in flight when the previous process crashed.
func (s *Store) Recovered() store.Recovered { return s.recovered }

// countCrashes counts one crash against each of the ids, all in one batch, so
// that a start that is cut short counts all or none.
func (s *Store) countCrashes(ids []invocation.ID) error {
	o := &crashOp{ids: ids}
	if err := s.do(context.Background(), 0, o.stage); err != nil {
		return err
	}
	s.recovered = o.found
	return nil
}

type crashOp struct {
	ids   []invocation.ID
	found store.Recovered
}

// stage passes over what was settled before the crash, and over what cannot be
// read: that will not be called either.
func (o *crashOp) stage(t *txn) error {
	for _, id := range o.ids {
		inv, err := t.s.get(id)
		if err != nil {
			continue
		}
		at := store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}
		if ok, err := t.s.has(appendReadyKey(t.key[:0], at)); ok && err == nil {
			o.crashed(t, at, inv)
		}
	}
	return nil
}

// crashed counts a crash against an invocation that is ready.
func (o *crashOp) crashed(t *txn, at store.Ready, inv *invocation.Invocation) {
	was, err := t.bodyOf(inv)
	if err != nil {
		return // the error has been noted
	}
	t.s.handover.act(inv.ID)
	o.found.InFlight++
	inv.Crashes++
	if inv.Crashes < store.PoisonLimit {
		t.moveBody(inv.ID, was)
		t.unset(appendRecordKey(t.key[:0], inv.ID))
		t.set(appendRecordKey(t.key[:0], inv.ID), record.Encode(inv))
		return
	}
	if err := t.leaveReady(at); err != nil {
		return // it was there a moment ago: the error has been noted
	}
	t.leaveDeadline(inv.ID, inv.Expires())
	t.finishedFor(inv.Job, invocation.OutcomeDead)
	inv.State, inv.Reason, inv.DiedAt = invocation.Dead, invocation.Poison, t.now
	inv.Detail = "the worker crashed each time while it was in flight"
	t.conclude(invocation.OutcomeDead, inv, record.Encode(inv), was)
	o.found.Poisoned = append(o.found.Poisoned, inv)
}
