package store

// What was in hand when the process before died: it is ready again, its crash is
// counted, and what crashed too often is buried before any call.

import (
	"context"

	"queue-worker/pkg/invocation"
)

// PoisonLimit is how many crashes an invocation may have been in hand at before
// it is buried without a call.
const PoisonLimit = 5

// Recovered is what the marks of the process before came to.
type Recovered struct {
	InHand   int                      // invocations that were in hand when it died
	Poisoned []*invocation.Invocation // those of them that went to the dead set; the others are ready again
}

// Recovered tells what was in hand when the process before died.
func (s *Store) Recovered() Recovered { return s.recovered }

// countCrashes counts one crash against each of the ids, all in one batch, so
// that a start that is cut short counts all or none.
func (s *Store) countCrashes(ids []invocation.ID) error {
	o := &crashOp{ids: ids, call: make(call, 1)}
	if err := s.wait(context.Background(), o, o.call); err != nil {
		return err
	}
	s.recovered = o.found
	return nil
}

type crashOp struct {
	call
	ids   []invocation.ID
	found Recovered
}

func (o *crashOp) size() int { return 0 }

// stage passes over what was settled before the crash, and over what cannot be
// read: that will not be called either.
func (o *crashOp) stage(t *txn) error {
	for _, id := range o.ids {
		inv, err := t.s.get(id)
		if err != nil {
			continue
		}
		at := Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}
		if ok, err := t.s.has(appendReadyKey(t.key[:0], at)); ok && err == nil {
			o.crashed(t, at, inv)
		}
	}
	return nil
}

// crashed counts a crash against an invocation that is ready.
func (o *crashOp) crashed(t *txn, at Ready, inv *invocation.Invocation) {
	was, err := t.bodyOf(inv)
	if err != nil {
		return // the error has been noted
	}
	t.s.handover.act(inv.ID)
	o.found.InHand++
	inv.Crashes++
	if inv.Crashes < PoisonLimit {
		t.moveBody(inv.ID, was)
		t.unset(appendRecordKey(t.key[:0], inv.ID))
		t.set(appendRecordKey(t.key[:0], inv.ID), encodeRecord(inv))
		return
	}
	if err := t.leaveReady(at); err != nil {
		return // it was there a moment ago: the error has been noted
	}
	inv.State, inv.Reason, inv.DiedAt = invocation.Dead, invocation.Poison, t.now
	inv.Detail = "the worker crashed each time that it was in hand"
	t.rewrite(inv, encodeRecord(inv), was)
	o.found.Poisoned = append(o.found.Poisoned, inv)
}
