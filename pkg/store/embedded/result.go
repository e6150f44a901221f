// File result.go keeps results: the outcomes of invocations, for a time after they have
// finished.

package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// outgoing is a result with its record encoded, before the committer gets it.
type outgoing struct {
	*store.Result
	written []byte
}

func newOutgoing(r *store.Result) *outgoing {
	return &outgoing{Result: r, written: record.EncodeResult(r)}
}

// endingOf is what has to be known to take a result away again, from the lengths of its record
// and its body.
func endingOf(r *store.Result, written, body int) ending {
	e := ending{size: written + body, body: body > 0}
	copy(e.call[:], appendCallRange(nil, r.Inv.CallID)[len(callPrefix):])
	return e
}

func appendResultKey(b []byte, id invocation.ID) []byte {
	return append(append(b, resultPrefix...), id[:]...)
}

func appendBodyKey(b []byte, id invocation.ID) []byte {
	return append(append(b, bodyPrefix...), id[:]...)
}

// appendResultCall makes the key for questions by call id, from its hash.
func appendResultCall(b []byte, hash [hashLen]byte, id invocation.ID) []byte {
	return append(append(append(b, resultCallPrefix...), hash[:]...), id[:]...)
}

func appendResultExpiry(b []byte, t time.Time, id invocation.ID) []byte {
	return append(append(appendExpiry(b, t), ofResult), id[:]...)
}

// putResult writes the result of an invocation in place of an older one. Where
// that cannot be read nothing is written: what is settled matters more.
func (t *txn) putResult(id invocation.ID, o *outgoing) {
	err := t.s.look(appendResultKey(t.key[:0], id), func(v []byte) error {
		old, body, err := record.DecodeResult(id, v)
		if err == nil {
			t.eraseResult(&expiry{at: old.Expires, id: id, ending: endingOf(old, len(v), body)})
		}
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return
	}
	t.insertResult(&expiry{at: o.Expires, id: id, ending: endingOf(o.Result, len(o.written), len(o.Body))}, o.written, o.Body)
}

// insertResult writes a result where there is none.
func (t *txn) insertResult(e *expiry, written, body []byte) {
	t.set(appendResultKey(t.key[:0], e.id), written)
	if e.body {
		t.set(appendBodyKey(t.key[:0], e.id), body)
	}
	t.set(appendResultCall(t.key[:0], e.call, e.id), nil)
	t.expires(appendResultExpiry(t.key[:0], e.at, e.id), e.value())
	t.delta.results++
	t.delta.resultBytes += int64(e.size)
}

// eraseResult removes a result, as the index entry of its expiry names it.
func (t *txn) eraseResult(e *expiry) {
	t.unset(appendResultKey(t.key[:0], e.id))
	if e.body {
		t.unset(appendBodyKey(t.key[:0], e.id))
	}
	t.unset(appendResultCall(t.key[:0], e.call, e.id))
	t.unset(appendResultExpiry(t.key[:0], e.at, e.id))
	t.delta.results--
	t.delta.resultBytes -= int64(e.size)
}

// Result reads how an invocation ended. ErrNotFound when that is not known, or no
// longer.
func (s *Store) Result(_ context.Context, id invocation.ID, withBody bool) (*store.Result, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	snap := s.db.NewSnapshot() // the result may be replaced by another one meanwhile
	defer func() { _ = snap.Close() }()
	r, size, err := s.resultIn(snap, id)
	if err != nil || !withBody || size == 0 {
		return r, err
	}
	err = s.lookIn(snap, appendBodyKey(nil, id), func(v []byte) error {
		r.Body = bytes.Clone(v)
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		err = s.damaged(fmt.Errorf("the body of the result of %s is missing", id))
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// resultIn reads a result without its body, but with its length.
func (s *Store) resultIn(from pebble.Reader, id invocation.ID) (r *store.Result, size int, err error) {
	err = s.lookIn(from, appendResultKey(nil, id), func(v []byte) error {
		r, size, err = record.DecodeResult(id, v)
		return err
	})
	if err == nil && !r.Expires.After(s.now()) {
		return nil, 0, store.ErrNotFound
	}
	return r, size, err
}
