// File ends.go remembers how invocations ended, for Options.EndTTL, since what has left the store
// has no other trace there. It costs each invocation some 60 bytes, written with its batch.
//
//	f/1 f/2 f/3 ... f/900   f/901 ... f/1640   f/1641 ...
//	               g/900              g/1640              the open segment has no filter yet
//
// The batches are numbered. Some thousand ends in a row are a segment. When it is full, a filter of
// its ids and call ids is written, so that a search reads the filters, a few megabytes at most, and
// only the segments that may have what it looks for. Whole segments expire, by one range deletion.

package embedded

import (
	"encoding/binary"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// A segment is full with so many ends, or after this part of EndTTL.
const (
	segmentEnds = 4096
	segmentPart = 24
)

// ends is what the committer knows of the ends that are stored.
type ends struct {
	batch  record.Ends // of the batch being built
	added  []uint64    // hashes of the ends in it
	next   uint64      // number of the next batch that has any
	closed []segment   // oldest first
	open   segment
	bytes  int64    // of all of them
	hashes []uint64 // of the open segment
}

// segment counts ends in a row.
type segment struct {
	last         uint64 // number of its last batch
	begin, until time.Time
	ends         int
	bytes        int64
}

func (s *segment) add(number uint64, at time.Time, ends, size int) {
	if s.ends == 0 {
		s.begin = at
	}
	s.last, s.until = number, at
	s.ends += ends
	s.bytes += int64(size)
}

// ended notes that an invocation leaves the store.
func (t *txn) ended(inv *invocation.Invocation, outcome invocation.Outcome) {
	if t.s.opts.EndTTL <= 0 {
		return
	}
	e := &t.s.ends
	e.batch.Add(inv, outcome, t.now)
	e.added = append(e.added, hashOfID(inv.ID), hashOfCall(inv.CallID))
}

func appendEndKey(b []byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, endPrefix...), n)
}

func appendFilterKey(b []byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, filterPrefix...), n)
}

// endKeyLen is the length of either.
const endKeyLen = 2 + 8

// numberOf reads the number in a key that one of these two has made.
func numberOf(key []byte) uint64 {
	if len(key) != endKeyLen {
		return 0
	}
	return binary.BigEndian.Uint64(key[2:])
}

// putEnds writes the ends of the batch.
func (t *txn) putEnds() {
	e := &t.s.ends
	value := e.batch.Bytes()
	if len(value) == 0 {
		return
	}
	t.insertEnds(value, t.now, e.added)
	e.added = e.added[:0]
	if e.open.ends > 0 && t.now.Sub(e.open.begin) >= t.s.opts.EndTTL/segmentPart {
		t.closeSegment()
	}
	t.trimEnds()
}

// insertEnds writes the ends of one batch, all at the same time, with their hashes.
func (t *txn) insertEnds(value []byte, at time.Time, hashes []uint64) {
	e := &t.s.ends
	e.next++
	t.set(appendEndKey(t.key[:0], e.next), value)
	size := endKeyLen + len(value)
	e.open.add(e.next, at, len(hashes)/2, size)
	e.hashes = append(e.hashes, hashes...)
	t.delta.ends += len(hashes) / 2
	t.endBytes(int64(size))
	if e.open.ends >= segmentEnds {
		t.closeSegment()
	}
}

// hashesOf reads the ends of one batch: the hashes of their ids and call ids, and when they ended.
func hashesOf(value []byte) (hashes []uint64, at time.Time, err error) {
	err = record.EachEnd(value, func(end *store.End) bool {
		at = end.At
		hashes = append(hashes, hashOfID(end.Inv.ID), hashOfCall(end.Inv.CallID))
		return true
	})
	return hashes, at, err
}

// endBytes counts what ends take from now on.
func (t *txn) endBytes(n int64) {
	t.s.ends.bytes += n
	t.delta.endBytes += n
}

// closeSegment ends the open segment with its filter.
func (t *txn) closeSegment() {
	e := &t.s.ends
	value := appendSegment(nil, &e.open, e.hashes)
	t.set(appendFilterKey(t.key[:0], e.open.last), value)
	size := int64(endKeyLen + len(value))
	e.open.bytes += size
	t.endBytes(size)
	e.closed = append(e.closed, e.open)
	e.open, e.hashes = segment{}, e.hashes[:0]
}

// trimEnds removes the segments that have expired, and the oldest of those beyond the bound. It
// returns how many ends have gone.
func (t *txn) trimEnds() (gone int) {
	e, opts := &t.s.ends, &t.s.opts
	if e.open.ends > 0 && t.now.Sub(e.open.until) >= opts.EndTTL {
		t.closeSegment()
	}
	n := 0
	for ; n < len(e.closed); n++ {
		s := &e.closed[n]
		expired := t.now.Sub(s.until) >= opts.EndTTL
		if !expired && (opts.EndBytes == 0 || e.bytes <= opts.EndBytes) {
			break
		}
		if !expired {
			t.delta.endsRemoved += uint64(s.ends) // #nosec G115 -- a count
		}
		gone += s.ends
		t.delta.ends -= s.ends
		t.endBytes(-s.bytes)
	}
	if n > 0 {
		last := e.closed[n-1].last
		_ = t.batch.DeleteRange(endPrefix, appendEndKey(nil, last+1), nil)
		_ = t.batch.DeleteRange(filterPrefix, appendFilterKey(nil, last+1), nil)
		e.closed = append(e.closed[:0], e.closed[n:]...)
	}
	return gone
}

// openEnds counts the ends that are stored. Those of a store that is to remember none are deleted.
func (s *Store) openEnds() error {
	e := &s.ends
	if s.opts.EndTTL <= 0 {
		return s.deleteEnds()
	}
	var d delta
	err := s.each(filterPrefix, after(filterPrefix), func(key, value []byte) (bool, error) {
		x, _, err := parseSegment(value)
		if err != nil {
			_ = s.damaged(err) // costs what it would have found
			return true, nil
		}
		x.last, x.bytes = numberOf(key), x.bytes+int64(len(key)+len(value))
		e.closed = append(e.closed, x)
		d.ends += x.ends
		d.endBytes += x.bytes
		return true, nil
	})
	if err != nil {
		return err
	}
	from := uint64(0)
	if n := len(e.closed); n > 0 {
		from = e.closed[n-1].last + 1
	}
	e.next = max(from, 1) - 1
	err = s.each(appendEndKey(nil, from), after(endPrefix), func(key, value []byte) (bool, error) {
		e.next = numberOf(key)
		hashes, at, err := hashesOf(value)
		_ = s.damaged(err) // costs these ends
		e.hashes = append(e.hashes, hashes...)
		e.open.add(e.next, at, len(hashes)/2, len(key)+len(value))
		d.ends += len(hashes) / 2
		d.endBytes += int64(len(key) + len(value))
		return true, nil
	})
	e.bytes = d.endBytes
	s.counts.apply(&d)
	return err
}

// deleteEnds deletes all ends. Whether that is durable does not matter: the next start does it again.
func (s *Store) deleteEnds() error {
	for _, prefix := range [][]byte{endPrefix, filterPrefix} {
		there := false
		err := s.each(prefix, after(prefix), func(_, _ []byte) (bool, error) { there = true; return false, nil })
		if err == nil && there {
			err = s.db.DeleteRange(prefix, after(prefix), pebble.NoSync)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
