// File accept.go accepts invocations.

package postgres

import (
	"context"

	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// Accept takes an invocation in. It returns at once, unless too much is queued, and done is called
// exactly once, on the committer's goroutine, where it must not block, or before Accept returns
// when the store is closed, has failed, or the server cannot be reached.
func (s *Store) Accept(a store.Accept, done func(error)) {
	if err := s.away.get(); err != nil {
		done(err)
		return
	}
	o := &acceptOp{Accept: a, row: newRow(&a), answer: done}
	if err := s.submit(context.Background(), o); err != nil {
		done(err)
	}
}

// newRow encodes an invocation before the committer gets it: there is only one committer.
func newRow(a *store.Accept) row {
	a.Inv.Size = len(a.Raw)
	return row{inv: a.Inv, rec: record.Encode(a.Inv), raw: a.Raw}
}

type acceptOp struct {
	store.Accept
	row    row
	answer func(error)
}

func (o *acceptOp) size() int      { return len(o.Raw) + len(o.row.rec) }
func (o *acceptOp) done(err error) { o.answer(err) }

func (o *acceptOp) begin(t *txn) error {
	if o.Once {
		if err := t.touch(o.Inv.ID); err != nil {
			return err
		}
		t.first.once = append(t.first.once, o.Inv.ID)
	}
	if o.Key != nil {
		t.first.keys = append(t.first.keys, o.Key.Hash[:])
	}
	if o.Source != nil {
		t.first.sources = append(t.first.sources, sourceOf(o.Source))
	}
	return nil
}

// stage looks at everything that can refuse the invocation before it writes anything.
func (o *acceptOp) stage(t *txn) error {
	if o.Once && t.first.stored[o.Inv.ID] {
		return store.ErrSeen
	}
	var c *claim
	if o.Key != nil {
		c = t.s.newClaim(*o.Key, o.Inv.ID, o.Inv.CallID)
		if err := t.mayClaim(c); err != nil {
			return err
		}
	}
	if o.Source != nil {
		if err := t.markSource(sourceOf(o.Source)); err != nil {
			return err
		}
		t.nameSource(o.Source)
	}
	if c != nil {
		t.writeClaim(c)
	}
	t.insert(o.row)
	return nil
}
