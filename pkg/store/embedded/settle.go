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
	return s.settle(ctx, o)
}

// settle writes what is large in parts, and then settles.
func (s *Store) settle(ctx context.Context, o *settleOp) error {
	if o.callback.inParts {
		if err := s.writeParts(ctx, appendBytesKey(nil, o.callback.Inv.ID), o.callback.Raw); err != nil {
			return err
		}
	}
	if r := o.result; r != nil && s.splits(o.At.ID, r) {
		if err := s.writeParts(ctx, r.parts, r.Body); err != nil {
			return err
		}
	}
	err := s.wait(ctx, o, o.call)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if o.callback.inParts { // nothing was settled
		err = cmp.Or(s.removeParts(ctx, appendBytesKey(nil, o.callback.Inv.ID), len(o.callback.Raw)), err)
	}
	if o.result != nil && o.result.parts != nil {
		err = cmp.Or(s.removeParts(ctx, o.result.parts, len(o.result.Body)), err)
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
	if o.result != nil && o.result.parts == nil {
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
	} else { // it was not loaded: it may be delayed
		t.s.handover.act(o.At.ID)
		if err := t.leaveWaiting(o.At, o.Inv.Source()); err != nil {
			return err
		}
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
