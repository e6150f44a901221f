// File settle.go settles: an invocation that was in flight gets its next state.

package postgres

import (
	"context"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// Settle writes the next state of an invocation that was in flight, or is overdue, and its callback,
// in one batch, and returns when that is durable. ErrNotFound means that it is no longer where At
// says, or that another session owns it; nothing is written then, the callback neither.
func (s *Store) Settle(ctx context.Context, st store.Settlement) error {
	o := &settleOp{Settlement: st, call: make(call, 1)}
	inv := st.Inv
	switch st.Outcome {
	case invocation.OutcomeRetry, invocation.OutcomeDead:
		inv.Answer = st.Answer
		if inv.State = invocation.Pending; st.Outcome == invocation.OutcomeDead {
			inv.State = invocation.Dead
		}
		o.rec = record.Encode(inv)
	case invocation.OutcomeDone, invocation.OutcomeDropped, invocation.OutcomeCancelled:
	default:
		panic("store: unknown outcome")
	}
	if st.Callback != nil {
		o.callback = newRow(st.Callback)
	}
	if st.Result != nil {
		o.result = newOutgoing(st.At.ID, st.Result, inv)
	}
	return s.wait(ctx, o, o.call)
}

type settleOp struct {
	store.Settlement
	rec      []byte // of Inv, when it stays
	delayed  bool   // of a retry
	callback row
	result   *outgoing // nil for none
	call
}

func (o *settleOp) size() int {
	n := len(o.rec) + len(o.callback.raw)
	if o.result != nil {
		n += len(o.result.Body)
	}
	return n
}

func (o *settleOp) begin(t *txn) error {
	if err := t.touch(o.At.ID); err != nil {
		return err
	}
	switch o.Outcome {
	case invocation.OutcomeRetry:
		o.delayed = o.Inv.Since.After(t.s.now())
		t.first.retry = append(t.first.retry, o)
	case invocation.OutcomeDead:
		t.first.bury = append(t.first.bury, o)
	case invocation.OutcomeDone, invocation.OutcomeDropped, invocation.OutcomeCancelled:
		t.first.leave = append(t.first.leave, o)
	}
	if o.result != nil {
		t.first.results = append(t.first.results, o.At.ID)
	}
	return nil
}

func (o *settleOp) stage(t *txn) error {
	was, here := t.first.settled[o.At.ID]
	if !here {
		return store.ErrNotFound
	}
	t.leavePlace(o.At, was)
	if !o.Inv.Job.IsZero() && o.Outcome != invocation.OutcomeRetry {
		t.second.tally(o.Inv.Job).Count(o.Outcome)
	}
	switch o.Outcome {
	case invocation.OutcomeRetry:
		t.stay(o.Inv, was)
		t.arrive(o.Inv, o.delayed)
	case invocation.OutcomeDead:
		t.stay(o.Inv, was)
		t.delta.dead(o.Inv.Lane, 1, o.Inv.StoredBytes())
	case invocation.OutcomeDone, invocation.OutcomeDropped, invocation.OutcomeCancelled:
		t.delta.bytes -= int64(was.size)
		t.ended(o.Inv, o.Outcome)
	}
	if o.Callback != nil {
		t.follow(o.callback)
	}
	if o.result != nil {
		t.putResult(o.result)
	}
	return nil
}

// follow inserts the callback of the invocation that was concluded last.
func (t *txn) follow(callback row) {
	if callback.inv.State == invocation.Pending {
		t.changes[len(t.changes)-1].Callback = callback.inv.ID
	}
	t.insert(callback)
}

// stay counts an invocation that stays in the store.
func (t *txn) stay(inv *invocation.Invocation, was found) {
	t.delta.bytes += int64(inv.StoredBytes() - was.size)
	t.left = append(t.left, inv.ID)
	if inv.State == invocation.Dead {
		t.changedTo(inv, invocation.OutcomeDead)
		return
	}
	t.changedTo(inv, invocation.OutcomeRetry)
}

// leavePlace counts an invocation that was taken out of its place.
func (t *txn) leavePlace(at store.Ready, was found) {
	in := inReady
	if was.delayed && t.s.due.isDelayed(place{stamp(at.Since), at.ID}) {
		in = inDelayed
	}
	t.delta.pend(at.Lane, in, was.mailbox, -1)
}
