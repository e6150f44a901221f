// File read.go reads. Nothing here writes; the next commit may change what was read.

package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// Load reads an invocation and its QueueRequest. The bytes are the caller's.
// ErrNotFound when there is none with this id.
func (s *Store) Load(_ context.Context, id invocation.ID) (*invocation.Invocation, []byte, error) {
	if err := s.enter(); err != nil {
		return nil, nil, err
	}
	defer s.leave()
	inv, raw, _, err := s.load(id)
	return inv, raw, err
}

// load is Load for those who are inside. It reports whether the QueueRequest is in the record.
func (s *Store) load(id invocation.ID) (inv *invocation.Invocation, raw []byte, inline bool, err error) {
	err = s.look(appendRecordKey(nil, id), func(v []byte) (err error) {
		inv, raw, err = record.DecodeInline(id, v)
		raw = bytes.Clone(raw) // so that a call that takes days pins nothing in Pebble
		return err
	})
	if err != nil {
		return nil, nil, false, err
	}
	if raw != nil {
		return inv, raw, true, nil
	}
	raw, err = s.loadRaw(id, inv.Size)
	if errors.Is(err, store.ErrNotFound) {
		err = s.bytesMissing(id)
	}
	if err != nil {
		return nil, nil, false, err
	}
	return inv, raw, false, nil
}

// bytesMissing distinguishes an invocation that was settled between two reads, which is
// ErrNotFound, from one that has lost its QueueRequest.
func (s *Store) bytesMissing(id invocation.ID) error {
	if _, err := s.get(id); err != nil {
		return err
	}
	return s.damaged(fmt.Errorf("the QueueRequest of %s is missing", id))
}

// Get reads the record of an invocation, without its QueueRequest.
// ErrNotFound when there is none with this id.
func (s *Store) Get(_ context.Context, id invocation.ID) (*invocation.Invocation, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	return s.get(id)
}

// Take reads up to limit entries of a lane that come after the entry from; the zero Ready stands
// for the lane's beginning. Taking is reading here: no other worker has this store.
func (s *Store) Take(_ context.Context, lane invocation.Lane, from store.Ready, limit int) ([]store.Ready, error) {
	prefix := appendLaneRange(nil, lane)
	lower := prefix
	if !from.ID.IsZero() {
		lower = append(appendReadyKey(nil, from), 0)
	}
	if limit <= 0 {
		return nil, nil
	}
	var found []store.Ready
	err := s.reading(lower, after(prefix), func(key, _ []byte) (bool, error) {
		since, id := parseTail(key)
		found = append(found, store.Ready{Lane: lane, Since: since, ID: id})
		return len(found) < limit, nil
	})
	return found, err
}

// Give has nothing to do: see Take.
func (s *Store) Give(context.Context, []store.Ready) error { return nil }

// ReadyLanes reads up to limit lanes that have anything ready, those of URLs or those of
// functions, in the order of their queues and names, beginning after a lane; the zero
// Lane stands for the beginning. It takes one search in the index per lane, however much
// they have.
func (s *Store) ReadyLanes(_ context.Context, from invocation.Lane, urls bool, limit int) (lanes []invocation.Lane, err error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	it, err := iterate(s.db, readyPrefix, after(readyPrefix))
	if err != nil {
		return nil, s.damaged(err)
	}
	seek := readyPrefix
	if from != (invocation.Lane{}) {
		seek = after(appendLaneRange(nil, from))
	}
	for ok := it.SeekGE(seek); ok && len(lanes) < limit; ok = it.SeekGE(seek) {
		r, bad := parseReady(it.Key())
		switch {
		case bad != nil:
			_ = s.damaged(bad) // costs this entry only
			seek = append(bytes.Clone(it.Key()), 0)
		case invocation.IsCallbackLane(r.Lane.Name) != urls:
			seek = seekKind(r.Lane, urls)
		default:
			lanes = append(lanes, r.Lane)
			seek = after(appendLaneRange(nil, r.Lane))
		}
	}
	return lanes, s.damaged(closing(it.Error(), it))
}

// seekKind is where the next lanes of URLs, or of functions, may be after a lane of the
// other kind.
func seekKind(l invocation.Lane, urls bool) []byte {
	first := laneText(append([]byte(nil), readyPrefix...), invocation.Lane{Queue: l.Queue, Name: invocation.CallbackLanePrefix})
	switch {
	case !urls:
		return after(first)
	case l.Name < invocation.CallbackLanePrefix:
		return first
	}
	return append(append(append([]byte(nil), readyPrefix...), l.Queue...), 1) // the next queue
}

// enter lets a reader in, and holds off Close until leave.
func (s *Store) enter() error {
	if err := s.Failed(); err != nil {
		return err
	}
	s.gate.RLock()
	if s.closed {
		s.gate.RUnlock()
		return store.ErrClosed
	}
	return nil
}

func (s *Store) leave() { s.gate.RUnlock() }

// reading is each for those who come from outside.
func (s *Store) reading(lower, upper []byte, f func(key, value []byte) (more bool, err error)) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.damaged(s.each(lower, upper, f))
}

// each calls f with every key from lower to before upper, until f fails or has
// enough. Key and value are valid during the call only.
func (s *Store) each(lower, upper []byte, f func(key, value []byte) (more bool, err error)) error {
	return s.eachIn(s.db, lower, upper, f)
}

func (s *Store) eachIn(from pebble.Reader, lower, upper []byte, f func(key, value []byte) (more bool, err error)) error {
	return visitAll(from, lower, upper, (*ordered).First, (*ordered).Next, f)
}

// eachBack is each from the last key to the first.
func (s *Store) eachBack(lower, upper []byte, f func(key, value []byte) (more bool, err error)) error {
	return visitAll(s.db, lower, upper, (*ordered).Last, (*ordered).Prev, f)
}

func visitAll(from pebble.Reader, lower, upper []byte, first, next func(*ordered) bool, f func(key, value []byte) (more bool, err error)) error {
	it, err := iterate(from, lower, upper)
	if err != nil {
		return err
	}
	for ok := first(it); ok; ok = next(it) {
		more, err := f(it.Key(), it.Value())
		if err != nil {
			return closing(err, it)
		}
		if !more {
			break
		}
	}
	return closing(it.Error(), it)
}

// get reads a record, for those who are inside.
func (s *Store) get(id invocation.ID) (inv *invocation.Invocation, err error) {
	err = s.look(appendRecordKey(nil, id), func(v []byte) error {
		inv, err = record.Decode(id, v)
		return err
	})
	return inv, err
}

// lookBody calls f with the QueueRequest of an invocation, which is valid during the call only.
func (s *Store) lookBody(id invocation.ID, f func(raw []byte) error) error {
	inline := false
	err := s.look(appendRecordKey(nil, id), func(v []byte) error {
		_, raw, err := record.Split(v)
		if err != nil || raw == nil {
			return err
		}
		inline = true
		return f(raw)
	})
	if err != nil || inline {
		return err
	}
	return s.lookRaw(id, f)
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

// look calls f with the value of a key, which is valid during the call only.
func (s *Store) look(key []byte, f func(value []byte) error) error { return s.lookIn(s.db, key, f) }

func (s *Store) lookIn(from pebble.Reader, key []byte, f func(value []byte) error) error {
	v, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return store.ErrNotFound
	}
	if err != nil {
		return s.damaged(err)
	}
	return s.damaged(closing(f(v), closer))
}

// closing closes c and returns err, or else the error of closing.
func closing(err error, c io.Closer) error {
	if closeErr := c.Close(); err == nil {
		return closeErr
	}
	return err
}
