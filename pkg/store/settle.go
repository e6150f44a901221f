package store

// Settling: an invocation that was in hand gets its next state.

import (
	"context"

	"queue-worker/pkg/invocation"
)

// Settle writes the next state of an invocation that was in hand, and its
// callback, in one batch, and returns when that is durable. ErrNotFound means
// that it is no longer where At says; nothing is written then, the callback
// neither. When ctx ends first, the settlement may still be carried out.
func (s *Store) Settle(ctx context.Context, st Settlement) error {
	o := &settleOp{Settlement: st, call: make(call, 1)}
	return s.wait(ctx, o, o.call)
}

type settleOp struct {
	Settlement
	call
}

func (o *settleOp) size() int {
	if o.Callback != nil {
		return len(o.Callback.Raw)
	}
	return 0
}

func (o *settleOp) stage(t *txn) error {
	if err := t.touch(o.At.ID); err != nil {
		return err
	}
	key := readyKey(o.At)
	ok, err := t.s.has(key)
	if err != nil {
		return err
	}
	if !ok {
		return ErrNotFound
	}
	t.unset(key)
	t.delta.place(o.At.Lane, inReady, -1)
	t.conclude(o.Verdict, o.Inv)
	if o.Callback != nil {
		t.insert(*o.Callback)
	}
	return nil
}

// conclude writes what a verdict means, apart from the index entry that was left.
func (t *txn) conclude(v Verdict, inv *invocation.Invocation) {
	switch v {
	case Done:
		t.erase(inv.ID, inv.CallID, inv.Size)
		t.delta.done++
	case Drop:
		t.erase(inv.ID, inv.CallID, inv.Size)
		t.delta.dropped++
	case Later, Bury:
		t.put(inv)
	default:
		panic("store: unknown verdict")
	}
}
