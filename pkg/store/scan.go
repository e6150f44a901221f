package store

// Going over the indexes, at the start and for the check.

import (
	"time"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
)

// entry is one index entry, of any of the three indexes.
type entry struct {
	in     place
	lane   invocation.Lane
	at     time.Time // since, due or died
	id     invocation.ID
	size   int
	letter letter // of a dead one
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
			e.size, _, err = parseSize(value)
		}
	case inDelayed:
		var rest []byte
		if e.size, rest, err = parseSize(value); err == nil {
			e.lane, err = parseLane(rest)
		}
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
		err := s.scan(x.prefix, func(key, value []byte) error {
			e, err := parseEntry(x.in, key, value)
			if err != nil {
				return err
			}
			return f(e)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// scan calls f with every key that begins with prefix, until f fails. Key and
// value are valid during the call only.
func (s *Store) scan(prefix []byte, f func(key, value []byte) error) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		if err := f(it.Key(), it.Value()); err != nil {
			return closing(err, it)
		}
	}
	return closing(it.Error(), it)
}
