package store

// Reading. Nothing here writes; what is read may be overtaken by the next commit.

import (
	"bytes"
	"errors"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
)

// Load reads an invocation and its QueueRequest. The bytes are the caller's.
// ErrNotFound when there is none with this id.
func (s *Store) Load(id invocation.ID) (*invocation.Invocation, []byte, error) {
	inv, err := s.Get(id)
	if err != nil {
		return nil, nil, err
	}
	raw, err := s.read(bytesKey(id))
	if err != nil {
		return nil, nil, err
	}
	return inv, raw, nil
}

// Get reads the record of an invocation, without its QueueRequest.
// ErrNotFound when there is none with this id.
func (s *Store) Get(id invocation.ID) (*invocation.Invocation, error) {
	b, err := s.read(recordKey(id))
	if err != nil {
		return nil, err
	}
	inv, err := decodeRecord(id, b)
	return inv, s.damaged(err)
}

// read copies a value out of Pebble, so that a call that takes days pins nothing there.
func (s *Store) read(key []byte) ([]byte, error) {
	if err := s.Failed(); err != nil {
		return nil, err
	}
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, s.damaged(err)
	}
	return bytes.Clone(v), closer.Close()
}

// NextReady reads up to limit entries of a lane that come after the entry from;
// the zero Ready stands for the lane's beginning.
func (s *Store) NextReady(lane invocation.Lane, from Ready, limit int) ([]Ready, error) {
	if err := s.Failed(); err != nil {
		return nil, err
	}
	prefix := laneRange(lane)
	lower := prefix
	if !from.ID.IsZero() {
		lower = append(readyKey(from), 0)
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: after(prefix)})
	if err != nil {
		return nil, s.damaged(err)
	}
	var found []Ready
	for ok := it.First(); ok && len(found) < limit; ok = it.Next() {
		since, id := parseTail(it.Key())
		found = append(found, Ready{Lane: lane, Since: since, ID: id})
	}
	return found, s.damaged(closing(it.Error(), it))
}

// FindCall returns the invocations with this call id that are in the store,
// oldest first and at most limit. A call id may come several times.
func (s *Store) FindCall(callID string, limit int) ([]*invocation.Invocation, error) {
	prefix := callRange(callID)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return nil, s.damaged(err)
	}
	var found []*invocation.Invocation
	for ok := it.First(); ok && len(found) < limit; ok = it.Next() {
		id := invocation.ID(it.Key()[len(prefix):])
		inv, err := s.Get(id)
		if errors.Is(err, ErrNotFound) {
			continue // settled since
		}
		if err != nil {
			return nil, closing(err, it)
		}
		if inv.CallID == callID {
			found = append(found, inv)
		}
	}
	return found, s.damaged(closing(it.Error(), it))
}

// closing closes c and joins its error to err.
func closing(err error, c io.Closer) error { return errors.Join(err, c.Close()) }
