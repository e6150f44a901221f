// File dedup.go has the dedup records of messages, by which a redelivery is recognised.
//
// Dedup records are kept in generations. A new one begins with the first record after ten
// minutes of the one before, and all but the latest two are dropped. So they age only while
// messages arrive: redeliveries of a server that was away for a day are still recognised.
//
// Servers give each channel's messages rising timestamps. A message newer than the newest
// dedup record is therefore new, needs no look-up, and its own record shares a key with
// others of its batch: see runs.go.

package embedded

import (
	"bytes"
	"encoding/binary"
	"time"

	"queue-worker/pkg/store"
)

// seenGeneration is how long one generation of dedup records lasts at least.
const seenGeneration = 10 * time.Minute

// dedup is what the committer knows of dedup records.
type dedup struct {
	generation uint32                 // the one that new records go to
	began      time.Time              // zero until the first record of this process
	youngest   map[channel]int64      // timestamps of the newest records
	runs       map[channel][]position // of the batch being built, see runs.go
}

type channel struct{ cluster, name string }

func channelOf(d *store.Source) channel { return channel{d.Cluster, d.Channel} }

// openDedup finds the generation that dedup records go to.
func (s *Store) openDedup() error {
	s.dedup = dedup{generation: 1, youngest: map[channel]int64{}, runs: map[channel][]position{}}
	for _, prefix := range [][]byte{seenPrefix, runPrefix} {
		last, err := s.lastKey(prefix)
		if err != nil {
			return err
		}
		if len(last) >= len(prefix)+4 {
			s.dedup.generation = max(s.dedup.generation, binary.BigEndian.Uint32(last[len(prefix):]))
		}
	}
	return nil
}

// lastKey returns the last key that begins with prefix; nil for none.
func (s *Store) lastKey(prefix []byte) (key []byte, err error) {
	it, err := iterate(s.db, prefix, after(prefix))
	if err != nil {
		return nil, err
	}
	if it.Last() {
		key = bytes.Clone(it.Key())
	}
	return key, closing(it.Error(), it)
}

// markSeen writes the dedup record of a message, or returns ErrSeen. One that cannot be
// read counts as none: better a message twice than one that is never taken.
func (t *txn) markSeen(d *store.Source) error {
	s := t.s
	ch := channelOf(d)
	youngest, ok := s.dedup.youngest[ch]
	if !ok {
		youngest = s.youngestMark(d)
		s.dedup.youngest[ch] = youngest
	}
	if d.Timestamp <= youngest {
		if _, ok := t.seen[*d]; ok {
			return errConflict // ErrSeen would be too early: the first one is not durable yet
		}
		for _, g := range s.dedup.kept() {
			if ok, err := s.has(appendDedupKey(t.key[:0], g, d)); ok && err == nil {
				return store.ErrSeen
			}
			if ok, err := s.inRun(g, d); ok && err == nil {
				return store.ErrSeen
			}
		}
	}
	t.turnGeneration()
	t.seen[*d] = struct{}{}
	if d.Timestamp <= youngest {
		t.set(appendDedupKey(t.key[:0], s.dedup.generation, d), nil)
		return nil
	}
	s.dedup.runs[ch] = append(s.dedup.runs[ch], at(d))
	s.dedup.youngest[ch] = d.Timestamp
	return nil
}

// kept are the generations whose records apply.
func (d *dedup) kept() [2]uint32 { return [2]uint32{d.generation, d.generation - 1} }

// turnGeneration begins a new generation when it is time, and drops the old ones.
func (t *txn) turnGeneration() {
	d := &t.s.dedup
	if d.began.IsZero() {
		d.began = t.now
	}
	if age := t.now.Sub(d.began); age >= 0 && age < seenGeneration {
		return
	}
	t.putRuns()
	d.generation++
	d.began = t.now
	for _, prefix := range [][]byte{seenPrefix, runPrefix} {
		old := binary.BigEndian.AppendUint32(prefix[:2:2], d.generation-1)
		_ = t.batch.DeleteRange(prefix, old, nil) // a batch in memory takes any write
	}
}

// youngestMark is the latest timestamp that a channel has a dedup record of. Without any,
// or when it cannot be read, every message is compared with the records.
func (s *Store) youngestMark(d *store.Source) int64 {
	const all = int64(^uint64(0) >> 1)
	youngest := int64(-1)
	for _, g := range s.dedup.kept() {
		for _, prefix := range [][]byte{seenPrefix, runPrefix} {
			last, err := s.lastKey(appendChannelPrefix(nil, prefix, g, channelOf(d)))
			if err != nil {
				_ = s.damaged(err)
				return all
			}
			if p, err := parsePosition(last); err == nil {
				youngest = max(youngest, p.timestamp)
			}
		}
	}
	return youngest
}
