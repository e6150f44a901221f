// File ordered.go iterates over keys in a way that ends on damaged files too.

package embedded

import (
	"bytes"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// errDisorder ends an iteration that would come to the same keys again. Pebble relies on the
// order of the keys in its tables and on what the MANIFEST says of them, and where that is
// damaged its iterators may turn back or stay in place.
var errDisorder = errors.New("keys are out of order")

// ordered is an iterator over some keys that makes progress with every step or stops with an
// error. A seek of Pebble, for one, may return a key before the one that was asked for when
// a table cannot be read; who seeks from there does so for ever.
type ordered struct {
	it   *pebble.Iterator
	last []byte
	err  error
}

// iterate goes over the keys from lower to before upper.
func iterate(from pebble.Reader, lower, upper []byte) (*ordered, error) {
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, err
	}
	return &ordered{it: it}, nil
}

// First, Last, Next and Prev move the iterator and report whether it is at a key.
func (o *ordered) First() bool { return o.begin(o.it.First()) }
func (o *ordered) Last() bool  { return o.begin(o.it.Last()) }
func (o *ordered) Next() bool  { return o.err == nil && o.step(o.it.Next(), 1) }
func (o *ordered) Prev() bool  { return o.err == nil && o.step(o.it.Prev(), -1) }

// SeekGE moves the iterator to the first key that is not before the given one.
func (o *ordered) SeekGE(key []byte) bool {
	if o.err != nil {
		return false
	}
	ok := o.it.SeekGE(key)
	if ok && bytes.Compare(o.it.Key(), key) < 0 {
		o.err = errDisorder
		return false
	}
	return o.begin(ok)
}

// Key and Value are valid until the next step.
func (o *ordered) Key() []byte   { return o.it.Key() }
func (o *ordered) Value() []byte { return o.it.Value() }

// Error is what has ended the iteration too early, nil when nothing has.
func (o *ordered) Error() error {
	if err := o.it.Error(); err != nil {
		return err
	}
	return o.err
}

// Close ends the iteration.
func (o *ordered) Close() error { return o.it.Close() }

func (o *ordered) begin(ok bool) bool {
	if ok {
		o.last = append(o.last[:0], o.it.Key()...)
	}
	return ok
}

func (o *ordered) step(ok bool, direction int) bool {
	if ok && bytes.Compare(o.it.Key(), o.last) != direction {
		o.err = errDisorder
		return false
	}
	return o.begin(ok)
}
