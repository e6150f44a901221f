// File logreader.go takes a log, or a MANIFEST, apart. Unlike Pebble's reader it continues behind
// what cannot be read.

package embedded

import (
	"encoding/binary"
	"errors"
	"io"
)

// A log is divided into blocks, and these into chunks that do not cross their ends. A record, which
// is one batch, is one chunk or several. Before a chunk stand its checksum, its length and its form,
// then the number of the log, since a file is used again for a later log, and in the last group of
// forms how far the log was synced. See the package record of Pebble.
const (
	logBlock   = 32 << 10
	chunkHead  = 7
	chunkLog   = chunkHead + 4
	chunkSync  = chunkLog + 8
	chunkForms = 4 // of each group: whole, first, middle, last
)

// maxLogRecord bounds a record. That of a worker has at most some MiB beside one request.
const maxLogRecord = 1 << 30

var errGaps = errors.New("parts of it cannot be read: checksum mismatch")

// logReader calls found with each record, which is valid during the call only.
type logReader struct {
	found func(record []byte) error

	gaps int  // parts that cannot be read, before others that can
	torn bool // nothing can be read behind some part: it may never have been written

	number uint32 // of the log
	record []byte
	begun  bool // record has its first chunks
	ended  bool // the log was closed here
}

// read reads a file of s.
func (l *logReader) read(s *Store, name string) error {
	f, err := s.raw.Open(s.raw.PathJoin(s.dir, name))
	if err != nil {
		return err
	}
	l.number = uint32(number(name)) // #nosec G115 -- as Pebble writes it
	for buf := make([]byte, logBlock); err == nil && !l.ended; {
		n, readErr := io.ReadFull(f, buf)
		if n > 0 {
			err = l.block(buf[:n])
		}
		if readErr != nil {
			if err == nil && readErr != io.EOF && readErr != io.ErrUnexpectedEOF {
				err = readErr
			}
			break
		}
	}
	l.torn = l.torn || l.begun
	return closing(err, f)
}

// block reads the chunks of one block.
func (l *logReader) block(b []byte) error {
	skipped, zero := 0, true
	for len(b) > 0 && !l.ended {
		form, payload, size := l.chunk(b)
		if l.ended {
			break
		}
		if size == 0 {
			zero = zero && b[0] == 0
			skipped++
			b = b[1:]
			continue
		}
		if !isPadding(skipped, zero) {
			l.torn = true
		}
		skipped, zero = 0, true
		if err := l.take(form, payload); err != nil {
			return err
		}
		b = b[size:]
	}
	l.torn = l.torn || !isPadding(skipped, zero) || l.ended && l.begun
	if l.ended && l.torn {
		l.gaps, l.torn, l.begun = l.gaps+1, false, false
	}
	return nil
}

// isPadding reports whether skipped bytes are the end of a block that has no room for a chunk.
func isPadding(skipped int, zero bool) bool { return zero && skipped < chunkSync }

// chunk returns the chunk that b begins with; its size is 0 when there is none.
func (l *logReader) chunk(b []byte) (form int, payload []byte, size int) {
	if len(b) < chunkHead || b[6] < 1 || b[6] > 3*chunkForms {
		return 0, nil, 0
	}
	form = int(b[6]) - 1
	head := []int{chunkHead, chunkLog, chunkSync}[form/chunkForms]
	size = head + int(binary.LittleEndian.Uint16(b[4:]))
	if len(b) < size {
		if len(b) >= chunkLog && l.closes(b) {
			l.ended = true
		}
		return 0, nil, 0
	}
	if head > chunkHead && binary.LittleEndian.Uint32(b[chunkHead:]) != l.number {
		l.ended = l.closes(b)
		return 0, nil, 0 // what the file held before it was used again
	}
	if blockChecksum(b[6:size]) != binary.LittleEndian.Uint32(b) {
		return 0, nil, 0
	}
	return form % chunkForms, b[head:size], size
}

// closes reports whether b begins with the chunk that ends a log: one without content, with the
// number of the next log and no checksum.
func (l *logReader) closes(b []byte) bool {
	return b[6] > chunkForms && binary.LittleEndian.Uint16(b[4:]) == 0 && binary.LittleEndian.Uint32(b[chunkHead:]) == l.number+1
}

// take adds a chunk to the record.
func (l *logReader) take(form int, payload []byte) error {
	first, last := form <= 1, form == 0 || form == 3
	if first && l.begun || !first && !l.begun {
		l.torn = true // a record without its end, or without its beginning
	}
	if l.torn {
		l.gaps++ // something follows
		l.torn = false
	}
	switch {
	case first:
		l.record, l.begun = l.record[:0], true
	case !l.begun:
		return nil
	}
	if len(l.record)+len(payload) > maxLogRecord {
		l.torn, l.begun = true, false
		return nil
	}
	l.record = append(l.record, payload...)
	if !last {
		return nil
	}
	l.begun = false
	return l.found(l.record)
}
