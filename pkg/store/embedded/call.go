// File call.go finds the invocations and results of a call id.

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

// FindCall returns what is known of a call id, which may come several times: the
// invocations that are in the store, oldest first, and the results, youngest invocation
// first and without their bodies. Of each there are at most limit.
//
// Both are read from one snapshot. An invocation that is settled meanwhile would
// otherwise be missing in both, and so would the callback that replaces it.
func (s *Store) FindCall(_ context.Context, callID string, limit int) (found []*invocation.Invocation, results []*store.Result, err error) {
	if err := s.enter(); err != nil {
		return nil, nil, err
	}
	defer s.leave()
	if limit <= 0 {
		return nil, nil, nil
	}
	snap := s.db.NewSnapshot()
	defer func() { _ = snap.Close() }()
	if found, err = s.storedOf(snap, callID, limit); err == nil {
		results, err = s.resultsOf(snap, callID, limit)
	}
	if err != nil {
		return nil, nil, s.damaged(err)
	}
	return found, results, nil
}

// storedOf reads the invocations of a call id. Another one may have the same hash.
func (s *Store) storedOf(from pebble.Reader, callID string, limit int) (found []*invocation.Invocation, err error) {
	prefix := appendCallRange(nil, callID)
	err = s.eachIn(from, prefix, after(prefix), func(key, _ []byte) (bool, error) {
		id := invocation.ID(key[len(prefix):])
		err := s.lookIn(from, appendRecordKey(nil, id), func(v []byte) error {
			inv, err := record.Decode(id, v)
			if err == nil && inv.CallID == callID {
				found = append(found, inv)
			}
			return err
		})
		if errors.Is(err, store.ErrNotFound) {
			err = nil // an index that is ahead of its record hides no other
		}
		return len(found) < limit, err
	})
	return found, err
}

// resultsOf reads the results of a call id.
func (s *Store) resultsOf(from pebble.Reader, callID string, limit int) (found []*store.Result, err error) {
	prefix := append(bytes.Clone(resultCallPrefix), appendCallRange(nil, callID)[len(callPrefix):]...)
	it, err := iterate(from, prefix, after(prefix))
	if err != nil {
		return nil, err
	}
	for ok := it.Last(); ok && len(found) < limit; ok = it.Prev() {
		r, _, err := s.resultIn(from, invocation.ID(it.Key()[len(prefix):]))
		if err == nil && r.Inv.CallID == callID {
			found = append(found, r)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, closing(err, it)
		}
	}
	return found, closing(it.Error(), it)
}
