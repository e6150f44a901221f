// File result.go keeps results: the outcomes of invocations, for a time after they have
// finished.

package store

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/vmihailenco/msgpack/v5"

	"queue-worker/pkg/invocation"
)

// Result is how an invocation ended, and what the function answered at last. It
// is kept until Expires.
type Result struct {
	Inv       *invocation.Invocation // its record at the end
	Outcome   invocation.Outcome     // any but retry
	Status    int                    // of the last answer, 0 for none
	Header    http.Header
	Body      []byte
	Truncated bool // Body is only the beginning
	At        time.Time
	Expires   time.Time
}

// resultRecord is a result as it is written; its body lies beside it.
type resultRecord struct {
	Record    []byte              `msgpack:"i"`
	Outcome   invocation.Outcome  `msgpack:"o"`
	Status    int                 `msgpack:"s,omitempty"`
	Header    map[string][]string `msgpack:"h,omitempty"`
	Body      int                 `msgpack:"b,omitempty"` // its length
	Truncated bool                `msgpack:"t,omitempty"`
	At        time.Time           `msgpack:"a"`
	Expires   time.Time           `msgpack:"x"`

	callID string
	size   int // bytes of this record as it is written
}

// ending is what has to be known to take the result away again.
func (r *resultRecord) ending() ending {
	e := ending{size: r.size + r.Body, body: r.Body > 0}
	copy(e.call[:], appendCallRange(nil, r.callID)[len(callPrefix):])
	return e
}

// outgoing is a result with its record encoded, before the committer gets it.
type outgoing struct {
	resultRecord
	written []byte
	body    []byte
}

func newOutgoing(r *Result) *outgoing {
	o := &outgoing{body: r.Body, resultRecord: resultRecord{
		Record: encodeRecord(r.Inv), Outcome: r.Outcome, Status: r.Status, Header: r.Header, Body: len(r.Body),
		Truncated: r.Truncated, At: r.At, Expires: r.Expires, callID: r.Inv.CallID,
	}}
	var err error
	o.written, err = msgpack.Marshal(&o.resultRecord)
	must(err)
	o.size = len(o.written)
	return o
}

func decodeResult(id invocation.ID, b []byte) (*Result, *resultRecord, error) {
	var r resultRecord
	if err := msgpack.Unmarshal(b, &r); err != nil {
		return nil, nil, fmt.Errorf("result of %s: %w", id, err)
	}
	inv, err := decodeRecord(id, r.Record)
	if err != nil {
		return nil, nil, fmt.Errorf("result: %w", err)
	}
	r.callID, r.size = inv.CallID, len(b)
	return &Result{
		Inv: inv, Outcome: r.Outcome, Status: r.Status, Header: r.Header, Truncated: r.Truncated, At: r.At, Expires: r.Expires,
	}, &r, nil
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
		_, old, err := decodeResult(id, v)
		if err == nil {
			t.eraseResult(&expiry{at: old.Expires, id: id, ending: old.ending()})
		}
		return err
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		return
	}
	e := o.ending()
	t.set(appendResultKey(t.key[:0], id), o.written)
	if e.body {
		t.set(appendBodyKey(t.key[:0], id), o.body)
	}
	t.set(appendResultCall(t.key[:0], e.call, id), nil)
	t.expires(appendResultExpiry(t.key[:0], o.Expires, id), e.value())
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
func (s *Store) Result(id invocation.ID, withBody bool) (*Result, error) {
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
	if errors.Is(err, ErrNotFound) {
		err = s.damaged(fmt.Errorf("the body of the result of %s is missing", id))
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// resultIn reads a result without its body, but with its length.
func (s *Store) resultIn(from pebble.Reader, id invocation.ID) (r *Result, size int, err error) {
	err = s.lookIn(from, appendResultKey(nil, id), func(v []byte) error {
		found, record, err := decodeResult(id, v)
		if err == nil {
			r, size = found, record.Body
		}
		return err
	})
	if err == nil && !r.Expires.After(s.now()) {
		return nil, 0, ErrNotFound
	}
	return r, size, err
}

// ResultsOf returns the results that are known of a call id, youngest invocation
// first and at most limit, without their bodies.
func (s *Store) ResultsOf(callID string, limit int) ([]*Result, error) {
	if err := s.enter(); err != nil || limit <= 0 {
		if err == nil {
			s.leave()
		}
		return nil, err
	}
	defer s.leave()
	prefix := append(bytes.Clone(resultCallPrefix), appendCallRange(nil, callID)[len(callPrefix):]...)
	it, err := iterate(s.db, prefix, after(prefix))
	if err != nil {
		return nil, s.damaged(err)
	}
	var found []*Result
	for ok := it.Last(); ok && len(found) < limit; ok = it.Prev() {
		id := invocation.ID(it.Key()[len(prefix):])
		r, _, err := s.resultIn(s.db, id)
		if err == nil && r.Inv.CallID == callID {
			found = append(found, r)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, closing(err, it)
		}
	}
	return found, s.damaged(closing(it.Error(), it))
}
