// File tally.go compares two sets of keys for the check, without holding them in memory
// and without a look-up for each: expected and found keys must have the same sums.

package embedded

import (
	"hash/maphash"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// sums is a set of texts as far as it matters here.
type sums struct {
	n        int
	sum, xor uint64
}

func (s *sums) add(h uint64) {
	s.n++
	s.sum += h
	s.xor ^= h
}

// tally compares the texts that are expected with those that are met, each as
// often as it comes.
type tally struct {
	seed          maphash.Seed
	expected, met sums
}

func newTally() tally { return tally{seed: maphash.MakeSeed()} }

func (t *tally) expect(b []byte) { t.expected.add(maphash.Bytes(t.seed, b)) }
func (t *tally) meet(b []byte)   { t.met.add(maphash.Bytes(t.seed, b)) }
func (t *tally) agree() bool     { return t.expected == t.met }

// entryOf is the index entry that an invocation should have. One that is pending
// may stand in either of two indexes.
func entryOf(inv *invocation.Invocation) entry {
	if inv.State == invocation.Dead {
		return entry{in: inDead, lane: inv.Lane, at: inv.DiedAt, id: inv.ID, size: inv.Size, letter: record.LetterOf(inv)}
	}
	return entry{in: inReady, lane: inv.Lane, at: inv.Since, id: inv.ID, size: inv.Size, source: inv.Source()}
}

// entryKey is the key of an invocation's entry in one of the indexes.
func entryKey(in place, inv *invocation.Invocation) []byte {
	switch in {
	case inReady:
		return appendReadyKey(nil, store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID})
	case inDelayed:
		return appendTimedKey(nil, delayedPrefix, inv.Since, inv.ID)
	case inDead:
		return appendTimedKey(nil, deadPrefix, inv.DiedAt, inv.ID)
	}
	panic("store: unknown place")
}

// appendFacts writes what an entry has to share with its record. Ready and
// delayed are alike in it.
func appendFacts(b []byte, e entry) []byte {
	if e.in == inDead {
		b = append(append(b, 'x'), record.EncodeLetter(e.letter)...)
	}
	b = append(laneText(b, e.lane), 0)
	b = append(stamp(b, e.at), e.id[:]...)
	return append(b, readyValue(e.size, e.source)...)
}
