// File tally.go compares two sets of keys for the check, without holding them in memory
// and without a look-up for each: expected and found keys must have the same sums.

package embedded

import (
	"encoding/binary"
	"hash/maphash"
)

// sums is a set of pairs as far as it matters here.
type sums struct {
	n        int
	sum, xor uint64
}

func (s *sums) add(h uint64) {
	s.n++
	s.sum += h
	s.xor ^= h
}

// tally compares the pairs that are expected with those that are met, each as
// often as it comes.
type tally struct {
	seed          maphash.Seed
	buf           []byte
	expected, met sums
}

func newTally() tally { return tally{seed: maphash.MakeSeed()} }

func (t *tally) hash(p pair) uint64 {
	t.buf = binary.AppendUvarint(t.buf[:0], uint64(len(p.key)))
	t.buf = append(append(t.buf, p.key...), p.value...)
	return maphash.Bytes(t.seed, t.buf)
}

func (t *tally) expect(p pair) { t.expected.add(t.hash(p)) }
func (t *tally) meet(p pair)   { t.met.add(t.hash(p)) }
func (t *tally) agree() bool   { return t.expected == t.met }
