// File accept.go accepts invocations.

package embedded

import (
	"context"

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
