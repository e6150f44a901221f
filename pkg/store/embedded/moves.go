// File moves.go has the moves of an invocation within a transaction: into the store, from one index to
// another, and out of the store. Every operation is made of them.
//
//	insert ------------> ready, delayed or dead
//	leave..., rewrite -> the place that the record says
//	leave..., erase ---> gone
//
// A move writes index entry, record and QueueRequest, and counts.

package embedded

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// insert writes a new invocation.
func (t *txn) insert(a arrival) {
	switch {
	case a.inParts:
		t.unset(appendUnfinishedKey(t.key[:0], appendBytesKey(nil, a.Inv.ID)))
	case !isInline(a.Raw):
		t.set(appendBytesKey(t.key[:0], a.Inv.ID), a.Raw)
	}
	t.set(appendCallKey(t.key[:0], a.Inv.CallID, a.Inv.ID), nil)
	if t.put(a.Inv, a.record) {
		t.fresh = append(t.fresh, newKept(&a.Accept))
	}
	if a.Inv.State == invocation.Dead {
		t.changed(a.Inv, invocation.OutcomeDead)
	} else {
		t.changed(a.Inv, "")
	}
	t.delta.accepted++
	t.delta.bytes += int64(a.Inv.StoredBytes())
}

// follow inserts the callback of the invocation that was concluded last.
func (t *txn) follow(callback arrival) {
	if callback.Inv.State == invocation.Pending {
		t.changes[len(t.changes)-1].Callback = callback.Inv.ID
	}
	t.insert(callback)
}

// put writes the record of an invocation and the index entry that says where it is. It
// reports whether the invocation is ready.
func (t *txn) put(inv *invocation.Invocation, encoded []byte) (ready bool) {
	t.set(appendRecordKey(t.key[:0], inv.ID), encoded)
	t.setDeadline(inv)
	switch {
	case inv.State == invocation.Dead:
		t.set(appendTimedKey(t.key[:0], deadPrefix, inv.DiedAt, inv.ID), record.EncodeLetter(record.LetterOf(inv)))
		t.delta.dead(inv.Lane, 1, inv.StoredBytes())
	case inv.Since.After(t.now):
		t.set(appendTimedKey(t.key[:0], delayedPrefix, inv.Since, inv.ID), delayedValue(inv.StoredBytes(), inv.Lane, inv.Source()))
		t.delta.pend(inv.Lane, inDelayed, inv.Source(), 1)
		if t.due.IsZero() || inv.Since.Before(t.due) {
			t.due = inv.Since
		}
	default:
		t.putReady(store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}, inv.StoredBytes(), inv.Source())
		return true
	}
	return false
}

func (t *txn) putReady(r store.Ready, size int, from invocation.Source) {
	t.set(appendReadyKey(t.key[:0], r), readyValue(size, from))
	t.delta.pend(r.Lane, inReady, from, 1)
	t.ready = append(t.ready, r)
}

// leaveWaiting deletes the index entry of an invocation that is ready or delayed: the record does not
// say which. ErrNotFound when it is neither.
func (t *txn) leaveWaiting(r store.Ready, from invocation.Source) error {
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

// leavePending is leaveWaiting for a pending invocation, which has to be in an index.
func (t *txn) leavePending(inv *invocation.Invocation) error {
	err := t.leaveWaiting(store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}, inv.Source())
	if errors.Is(err, store.ErrNotFound) {
		return t.s.damaged(fmt.Errorf("%s is in no index", inv.ID))
	}
	return err
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

// leaveDead deletes the index entry of a dead letter.
func (t *txn) leaveDead(inv *invocation.Invocation) {
	t.unset(appendTimedKey(t.key[:0], deadPrefix, inv.DiedAt, inv.ID))
	t.delta.dead(inv.Lane, -1, inv.StoredBytes())
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

// rewrite is put for an invocation that has a record already.
func (t *txn) rewrite(inv *invocation.Invocation, encoded []byte, was body) {
	t.moveBody(inv.ID, was)
	t.unset(appendRecordKey(t.key[:0], inv.ID))
	t.put(inv, encoded)
}

// erase takes an invocation out of the store; its index entry is the caller's.
func (t *txn) erase(inv *invocation.Invocation, was body) {
	if !was.inline {
		t.eraseParts(appendBytesKey(nil, inv.ID), inv.Size)
	}
	t.unset(appendCallKey(t.key[:0], inv.CallID, inv.ID))
	t.unset(appendRecordKey(t.key[:0], inv.ID))
	t.delta.bytes -= int64(inv.StoredBytes())
}

// revive makes a dead letter ready at once, for a job or, with the zero id, without one. What bounded its age is past, and it
// was not a bound on operators.
func (t *txn) revive(inv *invocation.Invocation, was body, job invocation.ID) {
	inv.State, inv.Since = invocation.Pending, t.now
	inv.Retries, inv.Crashes = firstRetries(inv.Terms), 0
	inv.Reason, inv.Detail, inv.DiedAt = "", "", time.Time{}
	inv.Replays++
	inv.Job = job
	t.replayedBy(job)
	if inv.Terms != nil {
		inv.Terms.Expires = time.Time{}
	}
	t.changed(inv, "")
	t.rewrite(inv, record.Encode(inv), was)
}

// firstRetries is what an invocation begins with. One of the mailbox comes from a
// caller who has tried already: its first call is the first retry.
func firstRetries(terms *invocation.Terms) int {
	if terms == nil || terms.Source != invocation.SourceMailbox || terms.MaxRetries == 0 {
		return 0
	}
	return 1
}

// body says where the QueueRequest of a stored invocation is. The zero body has a key of its
// own.
type body struct {
	inline bool   // it is in the record
	raw    []byte // a copy of an inline one, where the record is about to be rewritten
}

// bodyOf reads where the QueueRequest of an invocation is. After an error its record must
// neither be rewritten nor deleted.
func (t *txn) bodyOf(inv *invocation.Invocation) (b body, err error) {
	if inv.Size > inlineBytes {
		return body{}, nil
	}
	err = t.s.look(appendRecordKey(t.key[:0], inv.ID), func(v []byte) error {
		_, raw, err := record.Split(v)
		b = body{inline: raw != nil, raw: bytes.Clone(raw)}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = nil // the record is lost, and nothing is left to be moved
	}
	return b, err
}

// moveBody gives an inline QueueRequest a key of its own. That happens at most once to an
// invocation: its record is small from then on, however often it is written.
func (t *txn) moveBody(id invocation.ID, was body) {
	if was.inline {
		t.set(appendBytesKey(t.key[:0], id), was.raw)
	}
}

// set writes into the batch, which is in memory and takes any write. The key's
// memory is used again for the next one.
func (t *txn) set(key, value []byte) {
	_ = t.batch.Set(key, value, nil)
	t.key = key[:0]
}

// unset deletes a key. No key is ever set twice without an unset in between, so
// Pebble may forget both as soon as they meet: most invocations never reach a
// table. Pebble reports when that rule is broken.
func (t *txn) unset(key []byte) {
	_ = t.batch.SingleDelete(key, nil)
	t.key = key[:0]
}
