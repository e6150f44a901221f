// File accept.go accepts invocations.

package embedded

import (
	"bytes"
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// Accept takes an invocation in. It returns at once, unless too much is queued,
// and done is called exactly once: with nil when the invocation is durable, with
// ErrSeen when its source is known and the invocation of it is durable, or its
// id is there with Once, with a *KeyError when its key is known, with anything else when it was not taken. It is called on the committer's
// goroutine, where it must not block, or, when the store is closed or has
// failed, before Accept returns.
func (s *Store) Accept(a store.Accept, done func(error)) {
	o := &acceptOp{arrival: newArrival(a), answer: done}
	if err := s.submit(context.Background(), o); err != nil {
		done(err)
	}
}

// arrival is a new invocation with its record encoded, which is done before the
// committer gets it: there is only one committer.
type arrival struct {
	store.Accept
	record []byte
	// inParts: the QueueRequest is in the store already, see parts.go.
	inParts bool
}

func newArrival(a store.Accept) arrival {
	a.Inv.Size = len(a.Raw)
	if isInline(a.Raw) {
		return arrival{Accept: a, record: record.EncodeInline(a.Inv, a.Raw)}
	}
	return arrival{Accept: a, record: record.Encode(a.Inv)}
}

// inlineBytes is the largest QueueRequest that is stored in its record. A larger one would
// make the record expensive to read for whatever only lists it.
const inlineBytes = 4 << 10

// isInline reports whether a QueueRequest is stored in the record.
func isInline(raw []byte) bool { return len(raw) <= inlineBytes }

type acceptOp struct {
	arrival
	answer func(error)
}

func (o *acceptOp) size() int      { return len(o.Raw) }
func (o *acceptOp) done(err error) { o.answer(err) }

func (o *acceptOp) stage(t *txn) error {
	if err := t.touch(o.Inv.ID); err != nil {
		return err
	}
	if o.Once {
		if err := t.absent(o.Inv.ID); err != nil {
			return err
		}
	}
	var c, old *claim
	if o.Key != nil {
		made := t.s.newClaim(*o.Key, o.Inv.ID, o.Inv.CallID)
		c = &made
		var err error
		if old, err = t.mayClaim(c); err != nil {
			return err
		}
	}
	if o.Source != nil {
		if err := t.markSeen(o.Source); err != nil {
			return err
		}
	}
	if c != nil {
		t.writeClaim(c, old)
	}
	t.insert(o.arrival)
	return nil
}

// absent returns ErrSeen for an invocation that is in the store.
func (t *txn) absent(id invocation.ID) error {
	ok, err := t.s.has(appendRecordKey(t.key[:0], id))
	if ok {
		return store.ErrSeen
	}
	return err
}

// insert writes a new invocation.
func (t *txn) insert(a arrival) {
	switch {
	case a.inParts:
		t.unset(appendUnfinishedKey(t.key[:0], a.Inv.ID))
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

// rewrite is put for an invocation that has a record already.
func (t *txn) rewrite(inv *invocation.Invocation, encoded []byte, was body) {
	t.moveBody(inv.ID, was)
	t.unset(appendRecordKey(t.key[:0], inv.ID))
	t.put(inv, encoded)
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

// erase takes an invocation out of the store; its index entry is the caller's.
func (t *txn) erase(inv *invocation.Invocation, was body) {
	if !was.inline {
		t.eraseParts(inv.ID, inv.Size)
	}
	t.unset(appendCallKey(t.key[:0], inv.CallID, inv.ID))
	t.unset(appendRecordKey(t.key[:0], inv.ID))
	t.delta.bytes -= int64(inv.StoredBytes())
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

// has reports whether a key is there.
func (s *Store) has(key []byte) (bool, error) {
	_, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, s.damaged(err)
	}
	return true, closer.Close()
}
