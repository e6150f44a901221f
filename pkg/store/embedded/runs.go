// File runs.go stores the dedup records of messages that came in the order of their channel:
// those of one batch are a run, which has one key.
//
// The key is that of the latest message. The value has the others, from the latest to the
// first, as differences. The runs of a channel do not overlap, because a run only takes
// messages that are later than everything before it. So the one run that can hold a message
// is the first whose key is not before it. What comes out of order has a key of its own.

package embedded

import (
	"encoding/binary"

	"queue-worker/pkg/store"
)

// putRuns writes the runs of the batch.
func (t *txn) putRuns() {
	d := &t.s.dedup
	for ch, run := range d.runs {
		if len(run) > 0 {
			key := appendChannelPrefix(t.key[:0], runPrefix, d.generation, ch)
			t.set(run[len(run)-1].append(key), encodeRun(run))
			d.runs[ch] = run[:0]
		}
	}
}

// encodeRun writes all positions of a run but the last.
func encodeRun(run []position) (b []byte) {
	for i := len(run) - 1; i > 0; i-- {
		b = binary.AppendUvarint(b, uint64(run[i].timestamp-run[i-1].timestamp)) // #nosec G115 -- they rise
		b = binary.AppendVarint(b, int64(run[i].sequence-run[i-1].sequence))     // #nosec G115 -- it wraps both ways
	}
	return b
}

// eachOfRun calls f with the positions of a run, the latest first, until f has enough.
func eachOfRun(key, value []byte, f func(position) (more bool)) error {
	p, err := parsePosition(key)
	for err == nil && f(p) && len(value) > 0 {
		earlier, n := binary.Uvarint(value)
		if n <= 0 || earlier == 0 || earlier > uint64(max(p.timestamp, 0)) { // #nosec G115 -- not negative
			return errBadKey
		}
		value = value[n:]
		before, n := binary.Varint(value)
		if n <= 0 {
			return errBadKey
		}
		value = value[n:]
		p.timestamp -= int64(earlier) // #nosec G115 -- at most the timestamp
		p.sequence -= uint64(before)  // #nosec G115 -- it wraps both ways
	}
	return err
}

// inRun reports whether a message is in a run of a generation.
func (s *Store) inRun(generation uint32, d *store.Source) (found bool, err error) {
	prefix := appendChannelPrefix(nil, runPrefix, generation, channelOf(d))
	from := position{timestamp: d.Timestamp}.append(prefix[:len(prefix):len(prefix)])
	err = s.each(from, after(prefix), func(key, value []byte) (bool, error) {
		return false, eachOfRun(key, value, func(p position) bool {
			found = p == at(d)
			return !found && p.timestamp > d.Timestamp
		})
	})
	return found, s.damaged(err)
}
