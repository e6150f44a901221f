// File parts.go stores the QueueRequest of a large callback in parts. Pebble then never has all of it at
// once, neither in a batch nor in a block of a table nor in a compaction.
//
//	w/<id>, b/<id>, b/<id><1>, b/<id><2> ...   operations of their own, one for each part
//	i/<id> and the others, without w/<id>      the operation that settles
//
// Operations are committed in their order. After a crash in between, the start finds w/<id> and removes
// the parts. QueueRequests that are accepted, and all of older layouts, are whole under b/<id>.

package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

const (
	// partBytes is the length of every part but the last.
	partBytes = 256 << 10
	// splitBytes is the largest QueueRequest of a callback that is written whole.
	splitBytes = 1 << 20
	// mostBytes bounds the memory that is taken for a QueueRequest before it was read.
	mostBytes = 64 << 20
)

// appendPartKey makes the key of a part. That of the first is the key of a whole QueueRequest.
func appendPartKey(b []byte, id invocation.ID, n int) []byte {
	b = appendBytesKey(b, id)
	if n == 0 {
		return b
	}
	return binary.BigEndian.AppendUint16(b, uint16(n)) // #nosec G115 -- 64 Ki parts are 16 GiB
}

func appendUnfinishedKey(b []byte, id invocation.ID) []byte {
	return append(append(b, unfinishedPrefix...), id[:]...)
}

// parts is the number of parts that a QueueRequest of so many bytes has at most.
func parts(size int) int { return max((size+partBytes-1)/partBytes, 1) }

// writeParts hands the parts of a QueueRequest to the committer. It waits only while too much is queued:
// what is handed over next comes after them.
func (s *Store) writeParts(ctx context.Context, id invocation.ID, raw []byte) error {
	for n := range parts(len(raw)) {
		part := raw[n*partBytes : min((n+1)*partBytes, len(raw))]
		o := &step{call: make(call, 1), bytes: len(part), run: func(t *txn) error {
			if n == 0 {
				t.set(appendUnfinishedKey(t.key[:0], id), nil)
			}
			t.set(appendPartKey(t.key[:0], id, n), part)
			return nil
		}}
		if err := s.submit(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// removeParts removes the parts of a QueueRequest that belongs to no invocation.
func (s *Store) removeParts(ctx context.Context, id invocation.ID, size int) error {
	return s.do(ctx, 0, func(t *txn) error {
		t.unset(appendUnfinishedKey(t.key[:0], id))
		t.eraseParts(id, size)
		return nil
	})
}

// eraseParts removes a QueueRequest that may be in parts.
func (t *txn) eraseParts(id invocation.ID, size int) {
	t.unset(appendBytesKey(t.key[:0], id))
	if size <= splitBytes {
		return
	}
	for n := 1; n < parts(size); n++ {
		t.unset(appendPartKey(t.key[:0], id, n))
	}
}

// lookRaw calls f with a QueueRequest that is not in a record, which is valid during the call only.
func (s *Store) lookRaw(id invocation.ID, f func(raw []byte) error) error {
	inParts := false
	err := s.look(appendBytesKey(nil, id), func(v []byte) error {
		if inParts = len(v) == partBytes; inParts { // or it is just as long
			return nil
		}
		return f(v)
	})
	if err != nil || !inParts {
		return err
	}
	inv, err := s.get(id)
	if err != nil {
		return err
	}
	raw, err := s.joinParts(id, inv.Size)
	if err != nil {
		return err
	}
	return f(raw)
}

// loadRaw returns a QueueRequest of so many bytes that is not in a record. It is the caller's.
func (s *Store) loadRaw(id invocation.ID, size int) (raw []byte, err error) {
	if size > splitBytes {
		return s.joinParts(id, size)
	}
	err = s.look(appendBytesKey(nil, id), func(v []byte) error {
		raw = bytes.Clone(v)
		return nil
	})
	return raw, err
}

// joinParts returns a QueueRequest that may be in parts. ErrNotFound when one is missing.
func (s *Store) joinParts(id invocation.ID, size int) (raw []byte, err error) {
	for n := 0; err == nil && len(raw) == n*partBytes; n++ {
		err = s.look(appendPartKey(nil, id, n), func(v []byte) error {
			if n == 0 {
				raw = make([]byte, 0, max(len(v), min(size, mostBytes)))
			}
			raw = append(raw, v...)
			return nil
		})
	}
	if errors.Is(err, store.ErrNotFound) && len(raw) > 0 && len(raw) >= size {
		err = nil
	}
	return raw, err
}

// dropUnfinished removes the parts that a crash has left without an invocation. No committer runs yet.
func (s *Store) dropUnfinished() error {
	b := s.db.NewBatch()
	err := s.each(unfinishedPrefix, after(unfinishedPrefix), func(key, _ []byte) (bool, error) {
		prefix := append(bytes.Clone(bytesPrefix), key[len(unfinishedPrefix):]...)
		_ = b.SingleDelete(bytes.Clone(key), nil) // a batch in memory takes any write
		err := s.each(prefix, after(prefix), func(part, _ []byte) (bool, error) {
			_ = b.SingleDelete(bytes.Clone(part), nil)
			return true, nil
		})
		return err == nil, err
	})
	if err != nil || b.Empty() {
		return errors.Join(err, b.Close())
	}
	return b.Commit(pebble.NoSync) // lost with a power cut, and repeated then
}
