// File settle.go settles: an invocation that was in flight gets its next state.

package embedded

import (
	"cmp"
	"context"
	"errors"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// Settle writes the next state of an invocation that was in flight, or whose deadline has
// passed, and its callback, in one batch, and returns when that is durable. ErrNotFound means
// that it is no longer where At says; nothing is written then, the callback
// neither. When ctx ends first, the settlement may still be carried out, and
// what it points to must not be changed.
func (s *Store) Settle(ctx context.Context, st store.Settlement) error {
	o := &settleOp{Settlement: st, stored: st.Inv.StoredBytes(), call: make(call, 1)}
	if st.Outcome == invocation.OutcomeRetry || st.Outcome == invocation.OutcomeDead {
		st.Inv.Answer = st.Answer
	}
	switch st.Outcome {
	case invocation.OutcomeRetry:
		st.Inv.State = invocation.Pending
		o.record = record.Encode(st.Inv)
	case invocation.OutcomeDead:
		st.Inv.State = invocation.Dead
		o.record = record.Encode(st.Inv)
	case invocation.OutcomeDone, invocation.OutcomeDropped, invocation.OutcomeCancelled:
	default:
		panic("store: unknown outcome")
	}
	if st.Callback != nil {
		o.callback = newArrival(*st.Callback)
		o.callback.inParts = len(st.Callback.Raw) > splitBytes
	}
	if st.Result != nil {
		r := *st.Result
		if r.Inv == nil {
			r.Inv = st.Inv
		}
		o.result = newOutgoing(&r)
	}
	if o.callback.inParts {
		return s.settleInParts(ctx, o)
	}
	return s.wait(ctx, o, o.call)
}

// settleInParts settles with a large callback. Its QueueRequest is written before it.
func (s *Store) settleInParts(ctx context.Context, o *settleOp) error {
	id, raw := o.callback.Inv.ID, o.callback.Raw
	if err := s.writeParts(ctx, id, raw); err != nil {
		return err
	}
	err := s.wait(ctx, o, o.call)
	if errors.Is(err, store.ErrNotFound) { // nothing was settled
		err = cmp.Or(s.removeParts(ctx, id, len(raw)), err)
	}
	return err
}

type settleOp struct {
	store.Settlement
	stored   int    // bytes that Inv counted before
	record   []byte // of Inv, when it stays
	callback arrival
	result   *outgoing // nil for none
	call
}

func (o *settleOp) size() int {
	n := 0
	if !o.callback.inParts {
		n = len(o.callback.Raw)
	}
	if o.result != nil {
		n += len(o.result.Body)
	}
	return n
}

func (o *settleOp) stage(t *txn) error {
	if err := t.touch(o.At.ID); err != nil {
		return err
	}
	was, sure := t.s.handover.forget(o.At.ID)
	if !sure || was.inline && o.record != nil {
		var err error
		if was, err = t.bodyOf(o.Inv); err != nil {
			return err
		}
	}
	had, err := t.deadlineOf(o.Inv)
	if err != nil {
		return err
	}
	if sure {
		t.unset(appendReadyKey(t.key[:0], o.At))
		t.delta.pend(o.At.Lane, inReady, o.Inv.Source(), -1)
	} else if err := t.leavePlace(o.At, o.Inv.Source()); err != nil {
		return err
	}
	t.leaveDeadline(o.At.ID, had)
	t.finishedFor(o.Inv.Job, o.Outcome)
	t.conclude(o.Outcome, o.Inv, o.record, was)
	if o.record != nil {
		t.delta.bytes += int64(o.Inv.StoredBytes() - o.stored)
	}
	if o.Callback != nil {
		t.follow(o.callback)
	}
	if o.result != nil {
		t.putResult(o.At.ID, o.result)
	}
	return nil
}

// follow inserts the callback of the invocation that was concluded last.
func (t *txn) follow(callback arrival) {
	if callback.Inv.State == invocation.Pending {
		t.changes[len(t.changes)-1].Callback = callback.Inv.ID
	}
	t.insert(callback)
}

// leavePlace deletes the index entry of an invocation that was not loaded: it is ready, or
// delayed. ErrNotFound when it is neither.
func (t *txn) leavePlace(r store.Ready, from invocation.Source) error {
	t.s.handover.act(r.ID)
	err := t.leaveReady(r)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	key := appendTimedKey(t.key[:0], delayedPrefix, r.Since, r.ID)
	if ok, err := t.s.has(key); err != nil || !ok {
		return cmp.Or(err, store.ErrNotFound)
	}
	t.unset(key)
	t.delta.pend(r.Lane, inDelayed, from, -1)
	return nil
}

// leaveReady deletes the index entry of a ready invocation. ErrNotFound when
// there is none.
func (t *txn) leaveReady(r store.Ready) error {
	key := appendReadyKey(t.key[:0], r)
	var from invocation.Source
	err := t.s.look(key, func(v []byte) error {
		_, from, _ = parseReadyValue(v) // a damaged value stops nothing here
		return nil
	})
	if err == nil {
		t.unset(key)
		t.delta.pend(r.Lane, inReady, from, -1)
	}
	return err
}

// conclude writes what an outcome means, apart from the index entry that was left. The record
// is the new one of an invocation that stays in the store.
func (t *txn) conclude(outcome invocation.Outcome, inv *invocation.Invocation, record []byte, was body) {
	t.changed(inv, outcome)
	if outcome.Leaves() {
		t.ended(inv, outcome)
	}
	switch outcome {
	case invocation.OutcomeDone:
		t.erase(inv, was)
		t.delta.done++
	case invocation.OutcomeDropped, invocation.OutcomeCancelled:
		t.erase(inv, was)
		t.delta.dropped++
	case invocation.OutcomeRetry, invocation.OutcomeDead:
		t.rewrite(inv, record, was)
	default:
		panic("store: unknown outcome")
	}
}
