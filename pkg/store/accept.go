package store

// Taking invocations in.

import (
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
)

// seenGeneration is how long one generation of door marks lasts. A mark is kept
// for at least that long and at most twice as long.
const seenGeneration = 10 * time.Minute

// Accept takes an invocation in. It returns at once, unless too much is queued,
// and done is called exactly once, on the committer's goroutine, where it must
// not block: with nil when the invocation is durable, with ErrSeen when its door
// is known, with anything else when it was not taken.
func (s *Store) Accept(a Accept, done func(error)) {
	o := &acceptOp{Accept: a, answer: done}
	if err := s.submit(context.Background(), o); err != nil {
		done(err)
	}
}

type acceptOp struct {
	Accept
	answer func(error)
}

func (o *acceptOp) size() int      { return len(o.Raw) }
func (o *acceptOp) done(err error) { o.answer(err) }

func (o *acceptOp) stage(t *txn) error {
	if err := t.touch(o.Inv.ID); err != nil {
		return err
	}
	if o.Door != nil {
		if err := t.markSeen(o.Door); err != nil {
			return err
		}
	}
	t.insert(o.Accept)
	return nil
}

// insert writes a new invocation.
func (t *txn) insert(a Accept) {
	inv := a.Inv
	inv.Size = len(a.Raw)
	t.set(bytesKey(inv.ID), a.Raw)
	t.set(callKey(inv.CallID, inv.ID), nil)
	t.put(inv)
	t.delta.accepted++
	t.delta.bytes += int64(inv.Size)
}

// markSeen writes the mark of a door, or returns ErrSeen.
func (t *txn) markSeen(d *Door) error {
	generation := uint32(t.now.Unix() / int64(seenGeneration/time.Second)) //nolint:gosec // good until the year 80,000
	key := seenKey(generation, d)
	if _, ok := t.seen[string(key)]; ok {
		return ErrSeen
	}
	for _, k := range [][]byte{key, seenKey(generation-1, d)} {
		ok, err := t.s.has(k)
		if err != nil {
			return err
		}
		if ok {
			return ErrSeen
		}
	}
	t.seen[string(key)] = struct{}{}
	t.set(key, nil)
	if generation > t.s.generation {
		t.forgetSeen(generation)
	}
	return nil
}

// forgetSeen drops the generations of marks that have become too old.
func (t *txn) forgetSeen(current uint32) {
	old := seenKey(current-1, &Door{})[:len(seenPrefix)+4]
	_ = t.batch.DeleteRange(seenPrefix, old, nil) // a batch in memory takes any write
	t.s.generation = current
}

// put writes the record of an invocation and the index entry that says where it is.
func (t *txn) put(inv *invocation.Invocation) {
	t.set(recordKey(inv.ID), encode(inv))
	switch {
	case inv.State == invocation.Dead:
		t.set(deadKey(inv.DiedAt, inv.ID), encode(letterOf(inv)))
		t.delta.place(inv.Lane, inDead, 1)
		t.delta.deadBytes += int64(inv.Size)
	case inv.Since.After(t.now):
		t.set(delayedKey(inv.Since, inv.ID), delayedValue(inv.Size, inv.Lane))
		t.delta.place(inv.Lane, inDelayed, 1)
		if t.due.IsZero() || inv.Since.Before(t.due) {
			t.due = inv.Since
		}
	default:
		t.putReady(Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}, inv.Size)
	}
}

func (t *txn) putReady(r Ready, size int) {
	t.set(readyKey(r), readyValue(size))
	t.delta.place(r.Lane, inReady, 1)
	t.ready = append(t.ready, r)
}

// erase takes an invocation out of the store; its index entry is the caller's.
func (t *txn) erase(id invocation.ID, callID string, size int) {
	t.unset(bytesKey(id))
	t.unset(callKey(callID, id))
	_ = t.batch.Delete(recordKey(id), nil)
	t.delta.bytes -= int64(size)
}

// set and unset write into the batch, which is in memory and takes any write.
func (t *txn) set(key, value []byte) { _ = t.batch.Set(key, value, nil) }

// unset deletes a key that is set exactly once in its life, which lets Pebble
// forget both as soon as they meet. Records are set again and are not such keys.
func (t *txn) unset(key []byte) { _ = t.batch.SingleDelete(key, nil) }

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
