// File entry.go has the entries of the three indexes: their values, and a scan of all.

package embedded

import (
	"bytes"
	"encoding/binary"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// entry is one index entry, of any of the three indexes.
type entry struct {
	in     place
	lane   invocation.Lane
	at     time.Time // since, due or died
	id     invocation.ID
	size   int
	source invocation.Source // of a pending one
	letter record.Letter     // of a dead one
}

// parseEntry reads a key and value of the index named by in.
func parseEntry(in place, key, value []byte) (e entry, err error) {
	if len(key) < 2+tailLen {
		return e, errBadKey
	}
	e.in = in
	e.at, e.id = parseTail(key)
	switch in {
	case inReady:
		var r store.Ready
		if r, err = parseReady(key); err == nil {
			e.lane = r.Lane
			e.size, e.source, err = parseReadyValue(value)
		}
	case inDelayed:
		e.size, e.lane, e.source, err = parseDelayedValue(value)
	case inDead:
		e.letter, err = record.DecodeLetter(value)
		e.lane, e.size = e.letter.Lane(), e.letter.Size
	}
	return e, err
}

// holds reports whether an invocation is where the entry says, as far as its record shows.
func (e *entry) holds(inv *invocation.Invocation) bool {
	if e.in == inDead {
		return inv.State == invocation.Dead && sameStamp(inv.DiedAt, e.at)
	}
	return inv.State == invocation.Pending && sameStamp(inv.Since, e.at)
}

var indexes = []struct {
	in     place
	prefix []byte
}{{inReady, readyPrefix}, {inDelayed, delayedPrefix}, {inDead, deadPrefix}}

// scanIndexes calls f with every entry of the three indexes, until f fails.
func (s *Store) scanIndexes(f func(entry) error) error {
	for _, x := range indexes {
		err := s.each(x.prefix, after(x.prefix), func(key, value []byte) (bool, error) {
			e, err := parseEntry(x.in, key, value)
			if err != nil {
				return false, err
			}
			return true, f(e)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readyValue and delayedValue are the values of the other two indexes.
func readyValue(size int, from invocation.Source) []byte {
	return appendSource(binary.AppendUvarint(nil, uint64(size)), from) // #nosec G115 -- a length
}

func delayedValue(size int, l invocation.Lane, from invocation.Source) []byte {
	b := laneText(binary.AppendUvarint(nil, uint64(size)), l) // #nosec G115 -- a length
	if from == invocation.SourceGateway {
		return b
	}
	return appendSource(append(b, 0), from)
}

// appendSource writes nothing for the source of most.
func appendSource(b []byte, from invocation.Source) []byte {
	if from == invocation.SourceGateway {
		return b
	}
	return append(b, byte(from))
}

func parseReadyValue(b []byte) (size int, from invocation.Source, err error) {
	size, rest, err := parseSize(b)
	if len(rest) > 0 {
		from = invocation.Source(rest[0])
	}
	return size, from, err
}

func parseDelayedValue(b []byte) (size int, l invocation.Lane, from invocation.Source, err error) {
	size, rest, err := parseSize(b)
	if err != nil {
		return 0, l, from, err
	}
	queue, rest, ok := bytes.Cut(rest, nul)
	if !ok {
		return 0, l, from, errBadKey
	}
	name, rest, _ := bytes.Cut(rest, nul)
	if len(rest) > 0 {
		from = invocation.Source(rest[0])
	}
	return size, invocation.Lane{Queue: string(queue), Name: string(name)}, from, nil
}

var nul = []byte{0}

// parseSize reads the size that begins a value and returns what follows it.
func parseSize(b []byte) (size int, rest []byte, err error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > 1<<40 {
		return 0, nil, errBadKey
	}
	return int(v), b[n:], nil
}
