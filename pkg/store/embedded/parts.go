// File parts.go stores the QueueRequest of a large callback, and the body of a large result, in parts.
// Pebble then never has all of it at once, neither in a batch nor in a block of a table nor in a compaction.
//
//	w/<id>, b/<id>, b/<id><1>, b/<id><2> ...   operations of their own, one for each part
//	i/<id> and the others, without w/<id>      the operation that settles
//
// Operations are committed in their order. After a crash in between, the start finds w/<id> and removes
// the parts. QueueRequests that are accepted, and all of older layouts, are whole under b/<id>. With a
// result it is the same under p/<id><expiry>, where a whole one is under p/<id>: a replay may write the
// parts of the next result while the previous one is there.

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
	// splitBytes is the largest QueueRequest of a callback, or body of a result, that is written whole.
	splitBytes = 1 << 20
	// mostBytes bounds the memory that is taken for a QueueRequest before it was read.
	mostBytes = 64 << 20
)

// appendPartKey makes the key of a part from that of the first.
func appendPartKey(b, first []byte, n int) []byte {
	b = append(b, first...)
	if n == 0 {
		return b
	}
	return binary.BigEndian.AppendUint16(b, uint16(n)) // #nosec G115 -- 64 Ki parts are 16 GiB
}

// appendUnfinishedKey makes the key that says that parts belong to nothing yet.
func appendUnfinishedKey(b, first []byte) []byte {
	return append(append(b, unfinishedPrefix...), first[len(bytesPrefix):]...)
}

// firstOf returns the key of the first part, from the key that says that it belongs to nothing yet.
func firstOf(unfinished []byte) []byte {
	rest, prefix := unfinished[len(unfinishedPrefix):], bytesPrefix
	if len(rest) > idLen {
		prefix = bodyPrefix
	}
	return append(bytes.Clone(prefix), rest...)
}

// firstPart returns the key of the first part from that of any.
func firstPart(key []byte) []byte {
	n := len(bytesPrefix) + idLen
	if bytes.HasPrefix(key, bodyPrefix) {
		n += stampLen
	}
	return key[:min(n, len(key))]
}

// parts is the number of parts that so many bytes have at most.
func parts(size int) int { return max((size+partBytes-1)/partBytes, 1) }

// writeParts hands parts to the committer. It waits only while too much is queued: what is handed over
// next comes after them.
func (s *Store) writeParts(ctx context.Context, first, raw []byte) error {
	for n := range parts(len(raw)) {
		part := raw[n*partBytes : min((n+1)*partBytes, len(raw))]
		o := &step{call: make(call, 1), bytes: len(part), run: func(t *txn) error {
			if n == 0 {
				t.set(appendUnfinishedKey(t.key[:0], first), nil)
			}
			t.set(appendPartKey(t.key[:0], first, n), part)
			return nil
		}}
		if err := s.submit(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// removeParts removes parts that belong to nothing.
func (s *Store) removeParts(ctx context.Context, first []byte, size int) error {
	return s.do(ctx, 0, func(t *txn) error {
		t.unset(appendUnfinishedKey(t.key[:0], first))
		t.eraseParts(first, size)
		return nil
	})
}

// eraseParts removes what is under first, and may be in parts.
func (t *txn) eraseParts(first []byte, size int) {
	t.unset(append(t.key[:0], first...))
	if size <= splitBytes {
		return
	}
	for n := 1; n < parts(size); n++ {
		t.unset(appendPartKey(t.key[:0], first, n))
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
	raw, err := s.joinParts(s.db, appendBytesKey(nil, id), inv.Size)
	if err != nil {
		return err
	}
	return f(raw)
}

// loadRaw returns a QueueRequest of so many bytes that is not in a record. It is the caller's.
func (s *Store) loadRaw(id invocation.ID, size int) (raw []byte, err error) {
	if size > splitBytes {
		return s.joinParts(s.db, appendBytesKey(nil, id), size)
	}
	err = s.look(appendBytesKey(nil, id), func(v []byte) error {
		raw = bytes.Clone(v)
		return nil
	})
	return raw, err
}

// joinParts returns what is under first, and may be in parts. ErrNotFound when one is missing.
func (s *Store) joinParts(from pebble.Reader, first []byte, size int) (raw []byte, err error) {
	for n := 0; err == nil && len(raw) == n*partBytes; n++ {
		err = s.lookIn(from, appendPartKey(nil, first, n), func(v []byte) error {
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

// dropUnfinished removes the parts that a crash has left without an invocation or a result. No committer runs yet.
func (s *Store) dropUnfinished() error {
	b := s.db.NewBatch()
	err := s.each(unfinishedPrefix, after(unfinishedPrefix), func(key, _ []byte) (bool, error) {
		prefix := firstOf(key)
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
