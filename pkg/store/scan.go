// File scan.go scans the indexes, at the start and for the check.

package store

import (
	"time"

	"queue-worker/pkg/invocation"
)

// entry is one index entry, of any of the three indexes.
type entry struct {
	in     place
	lane   invocation.Lane
	at     time.Time // since, due or died
	id     invocation.ID
	size   int
	source invocation.Source // of a pending one
	letter letter            // of a dead one
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
		var r Ready
		if r, err = parseReady(key); err == nil {
			e.lane = r.Lane
			e.size, e.source, err = parseReadyValue(value)
		}
	case inDelayed:
		e.size, e.lane, e.source, err = parseDelayedValue(value)
	case inDead:
		e.letter, err = decodeLetter(value)
		e.lane, e.size = e.letter.lane(), e.letter.Size
	}
	return e, err
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
