// File endsearch.go finds ends, by the filters of their segments; see ends.go.

package embedded

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// A filter has bitsOfEnd bits for each of two hashes of an end, each of which sets bitsSet of them.
// It lets one of some hundred absent ids pass.
const (
	bitsOfEnd = 12
	bitsSet   = 8
)

func hashOfID(id invocation.ID) uint64 { return xxhash.Sum64(id[:]) }
func hashOfCall(callID string) uint64  { return xxhash.Sum64String(callID) }

// End reads how an invocation left the store. ErrNotFound when that is not remembered, or no longer.
func (s *Store) End(ctx context.Context, id invocation.ID) (*store.End, error) {
	found, err := s.searchEnds(ctx, hashOfID(id), 1, func(e *store.End) bool { return e.Inv.ID == id })
	if err == nil && len(found) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// EndsOfCall reads how the invocations of a call id left the store, the latest end first and at most
// limit of them.
func (s *Store) EndsOfCall(ctx context.Context, callID string, limit int) ([]*store.End, error) {
	return s.searchEnds(ctx, hashOfCall(callID), limit, func(e *store.End) bool { return e.Inv.CallID == callID })
}

// searchEnds reads up to limit ends that match, the latest first, from the open segment and from those
// whose filter has the hash.
func (s *Store) searchEnds(ctx context.Context, hash uint64, limit int, match func(*store.End) bool) (found []*store.End, err error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	if s.opts.EndTTL <= 0 || limit <= 0 {
		return nil, nil
	}
	snap := s.db.NewSnapshot()
	defer func() { _ = snap.Close() }()
	it, err := iterate(snap, filterPrefix, after(filterPrefix))
	if err != nil {
		return nil, s.damaged(err)
	}
	upper, has := after(endPrefix), true // of the open segment
	more := it.Last()
	for err = ctx.Err(); err == nil && len(found) < limit; err = ctx.Err() {
		lower, next := endPrefix, false
		if more {
			lower = appendEndKey(nil, numberOf(it.Key())+1)
			next = hasHash(it.Value(), hash)
		}
		if has {
			if found, err = s.endsIn(snap, lower, upper, limit, found, match); err != nil {
				break
			}
		}
		if !more {
			break
		}
		upper, has = lower, next
		more = it.Prev()
	}
	return found, s.damaged(closing(err, it))
}

// endsIn appends the ends between two keys that match, the latest first.
func (s *Store) endsIn(from pebble.Reader, lower, upper []byte, limit int, found []*store.End, match func(*store.End) bool) ([]*store.End, error) {
	now := s.now()
	it, err := iterate(from, lower, upper)
	if err != nil {
		return found, err
	}
	for ok := it.Last(); ok && len(found) < limit; ok = it.Prev() {
		var of []*store.End
		err := record.EachEnd(it.Value(), func(e *store.End) bool {
			if match(e) && now.Sub(e.At) < s.opts.EndTTL {
				of = append(of, e)
			}
			return true
		})
		if err != nil {
			return found, closing(err, it)
		}
		for i := len(of) - 1; i >= 0 && len(found) < limit; i-- {
			found = append(found, of[i])
		}
	}
	return found, closing(it.Error(), it)
}

// segmentLen is the length of the counts of a segment, which are before its filter.
const segmentLen = 2*stampLen + 4 + 4

// appendSegment writes what a filter key has: the counts of the segment, and the filter of its hashes.
func appendSegment(b []byte, s *segment, hashes []uint64) []byte {
	b = stamp(stamp(b, s.begin), s.until)
	b = binary.BigEndian.AppendUint32(b, uint32(s.ends))  // #nosec G115 -- some thousand, and one batch
	b = binary.BigEndian.AppendUint32(b, uint32(s.bytes)) // #nosec G115 -- likewise
	filter := make([]byte, (len(hashes)*bitsOfEnd+7)/8)
	for _, h := range hashes {
		eachBit(filter, h, func(i uint64, mask byte) bool { filter[i] |= mask; return true })
	}
	return append(b, filter...)
}

var errBadSegment = errors.New("filter of ends of an unknown form")

// parseSegment reads what appendSegment has written.
func parseSegment(b []byte) (s segment, filter []byte, err error) {
	if len(b) <= segmentLen {
		return s, nil, errBadSegment
	}
	s.begin, s.until = unstamp(b), unstamp(b[stampLen:])
	counts := b[2*stampLen:]
	s.ends, s.bytes = int(binary.BigEndian.Uint32(counts)), int64(binary.BigEndian.Uint32(counts[4:]))
	return s, b[segmentLen:], nil
}

// hasHash reports whether a segment may have a hash. One whose filter cannot be read may.
func hasHash(value []byte, hash uint64) bool {
	_, filter, err := parseSegment(value)
	if err != nil {
		return true
	}
	return eachBit(filter, hash, func(i uint64, mask byte) bool { return filter[i]&mask != 0 })
}

// eachBit calls f with the bits of a hash, until f returns false, and reports whether it never did.
func eachBit(filter []byte, hash uint64, f func(i uint64, mask byte) bool) bool {
	step, bits := hash>>32|1, uint64(len(filter))*8
	for range bitsSet {
		bit := hash % bits
		if !f(bit/8, 1<<(bit%8)) {
			return false
		}
		hash += step
	}
	return true
}
