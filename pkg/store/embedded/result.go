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
	parts   []byte // the key of the first part of its body, nil when that is written with the record
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

// bodyPartKey makes the key of the first part of a body, whose result expires at a time.
func bodyPartKey(at time.Time, id invocation.ID) []byte {
	return stamp(appendBodyKey(nil, id), at)
}

// splits reports whether the body of a result is to be written in parts, and makes their key. A result
// that expires at the very time of the previous one has it whole: the keys would be the same.
func (s *Store) splits(id invocation.ID, o *outgoing) bool {
	if len(o.Body) <= splitBytes {
		return false
	}
	first := bodyPartKey(o.Expires, id)
	if taken, err := s.has(first); taken || err != nil {
		return false
	}
	o.parts = first
	return true
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
	e := &expiry{at: o.Expires, id: id, ending: endingOf(o.Result, len(o.written), len(o.Body))}
	if o.parts == nil {
		t.insertResult(e, o.written, o.Body)
		return
	}
	t.insertResult(e, o.written, nil)
	t.unset(appendUnfinishedKey(t.key[:0], o.parts))
}

// insertResult writes a result where there is none. Its body is nil when that is there already, in parts.
func (t *txn) insertResult(e *expiry, written, body []byte) {
	t.set(appendResultKey(t.key[:0], e.id), written)
	if len(body) > 0 {
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
	if e.size > splitBytes { // it may be in parts
		t.eraseParts(bodyPartKey(e.at, e.id), e.size)
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
	r.Body, err = s.resultBody(snap, r, id, size)
	if errors.Is(err, store.ErrNotFound) {
		err = s.damaged(fmt.Errorf("the body of the result of %s is missing", id))
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// resultBody reads the body of a result, of so many bytes. It is the caller's.
func (s *Store) resultBody(from pebble.Reader, r *store.Result, id invocation.ID, size int) (body []byte, err error) {
	if size > splitBytes {
		body, err = s.joinParts(from, bodyPartKey(r.Expires, id), size)
		if !errors.Is(err, store.ErrNotFound) || len(body) > 0 {
			return body, err
		}
	}
	err = s.lookIn(from, appendBodyKey(nil, id), func(v []byte) error { // whole, as all of older layouts are
		body = bytes.Clone(v)
		return nil
	})
	return body, err
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
