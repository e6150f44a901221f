// File hold.go has the in-flight markers, in a small file beside the store, one record per
// slot. A marker is written before a call and cleared after it, without a sync: a killed
// process leaves it behind. By the markers the next process finds invocations that crash
// the worker repeatedly, and does not call them again.

package embedded

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/invocation"
)

// markLen is the length of a record: an id and its checksum, so that a record
// that was half written counts for nothing.
const markLen = idLen + 4

const marksFile = "in-hand"

// maxMarks bounds what is read of the file: the markers of many more slots than
// max_inflight allows.
const maxMarks = 1 << 20

// marks is the file. It is written past disk: a marker that cannot be written
// costs the count of crashes something, and is no reason to hold up a call.
type marks struct {
	mu     sync.RWMutex
	file   vfs.File // nil without a folder, where nothing survives anyway, and after Close
	mapped []byte   // the file in memory; nil where it cannot be mapped, and markers are written to file
}

// Hold marks an invocation as in flight in a slot, numbered from 0 and below
// Options.Slots. The slot is the caller's until Release.
func (s *Store) Hold(slot int, id invocation.ID) {
	var b [markLen]byte
	copy(b[:], id[:])
	binary.BigEndian.PutUint32(b[idLen:], crc32.ChecksumIEEE(id[:]))
	s.mark(slot, b[:])
}

// Release clears the marker of a slot.
func (s *Store) Release(slot int) { s.mark(slot, make([]byte, markLen)) }

func (s *Store) mark(slot int, b []byte) {
	s.marks.mu.RLock()
	defer s.marks.mu.RUnlock()
	if s.marks.file == nil {
		return
	}
	if at := slot * markLen; at+len(b) <= len(s.marks.mapped) && writeMapped(s.marks.mapped, at, b) {
		return
	}
	if _, err := s.marks.file.WriteAt(b, int64(slot)*markLen); err != nil {
		_ = s.damaged(err)
	}
}

// openMarks reads the markers of the previous process, clears them, and counts what
// they mean. In this order, a start that dies half way forgets a crash; in the
// other, a start that dies again and again would count one crash for many and
// bury what is innocent.
func (s *Store) openMarks() error {
	f, err := s.raw.OpenReadWrite(s.raw.PathJoin(s.dir, marksFile), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	s.marks.file = f
	ids, size, err := readMarks(f)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(make([]byte, max(size, s.opts.Slots*markLen)), 0); err != nil {
		return err
	}
	s.marks.mapped = mapFile(f, s.opts.Slots*markLen)
	if len(ids) == 0 {
		return nil
	}
	return s.countCrashes(ids)
}

// readMarks returns the ids that the file holds, each once, and its size.
func readMarks(f io.ReaderAt) (ids []invocation.ID, size int, err error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, maxMarks))
	if err != nil {
		return nil, 0, err
	}
	size = len(b)
	known := map[invocation.ID]bool{}
	for ; len(b) >= markLen; b = b[markLen:] {
		id := invocation.ID(b[:idLen])
		if !id.IsZero() && !known[id] && binary.BigEndian.Uint32(b[idLen:]) == crc32.ChecksumIEEE(id[:]) {
			known[id] = true
			ids = append(ids, id)
		}
	}
	return ids, size, nil
}

// closeMarks clears the markers, since invocations in flight at a Close, or when the disk failed, did
// not crash the process, and closes the file. Hold and Release do nothing from then on. In the mapped
// file they are cleared in memory, which no disk can block.
func (s *Store) closeMarks() error {
	s.marks.mu.Lock()
	defer s.marks.mu.Unlock()
	f := s.marks.file
	if f == nil {
		return nil
	}
	mapped, none := s.marks.mapped, make([]byte, s.opts.Slots*markLen)
	s.marks.file, s.marks.mapped = nil, nil
	if mapped == nil {
		_, err := f.WriteAt(none, 0)
		return closing(err, f)
	}
	if !writeMapped(mapped, 0, none) {
		return closing(errors.Join(errUnmapped, unmapFile(mapped)), f)
	}
	return closing(unmapFile(mapped), f)
}

var errUnmapped = errors.New("in-flight markers not cleared")
