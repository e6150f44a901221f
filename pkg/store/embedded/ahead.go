// File ahead.go reads records of ready invocations before they are loaded. Ids rise with time,
// so the next invocations of a backlog follow, whatever their lanes, the one that was just
// loaded: one iterator reads many for the cost of a few look-ups.

package embedded

import (
	"bytes"
	"encoding/binary"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store/record"
)

const (
	// aheadBytes bounds the memory of what was read ahead and is not loaded.
	aheadBytes = 512 << 10
	// aheadOverhead is what a record takes here beside its bytes.
	aheadOverhead = 128
	// aheadKeys is how many records one reading visits, and aheadMillis how much later than
	// the first of them they were accepted at most. The latter bounds the steps over records
	// that were deleted and are not compacted yet.
	aheadKeys   = 64
	aheadMillis = 100
	// aheadLow is the number of records at which the next ones are read.
	aheadLow = 64
	// aheadShare: a reading was worth it if at least this part of what it visited was loaded
	// from memory. After one that was not, longestAheadRest bounds the look-ups until the next.
	aheadShare       = 4
	longestAheadRest = 64
)

// ahead is records that were read ahead, as they are stored. Only records as they were accepted,
// with the request in them, are here: any later change of a pending invocation moves the
// request. handover.mu guards it.
type ahead struct {
	records map[invocation.ID][]byte
	order   []invocation.ID // in which they were read; those that were taken are still in it
	bytes   int
	reading bool
	// changing are the invocations that the staged batch may change, and, while a reading
	// runs, those that were changed since it began: what it reads of them may be out of date.
	changing map[invocation.ID]struct{}

	visits, hits int  // of the latest reading, and loads from memory since it began
	dry          bool // it found nothing: the next one begins at a look-up
	rest, left   int  // look-ups without a reading: after a bad one, and still to come
}

func newAhead() ahead {
	return ahead{records: map[invocation.ID][]byte{}, changing: map[invocation.ID]struct{}{}}
}

// take removes the record of an invocation and returns it; nil when it is not there.
func (a *ahead) take(id invocation.ID) []byte {
	record, ok := a.records[id]
	if ok {
		a.remove(id)
		a.hits++
	}
	return record
}

func (a *ahead) remove(id invocation.ID) {
	if record, ok := a.records[id]; ok {
		delete(a.records, id)
		a.bytes -= len(record) + aheadOverhead
	}
}

func (a *ahead) forget(id invocation.ID) {
	a.remove(id)
	a.changing[id] = struct{}{}
}

// applied is called when the batch that was staged can be read from the engine.
func (a *ahead) applied() {
	if !a.reading {
		clear(a.changing)
	}
}

// add keeps a record, in place of the oldest ones.
func (a *ahead) add(id invocation.ID, record []byte) {
	a.records[id] = record
	a.order = append(a.order, id)
	a.bytes += len(record) + aheadOverhead
	for a.bytes > aheadBytes || len(a.order) > aheadBytes/aheadOverhead {
		a.remove(a.order[0])
		a.order = a.order[1:]
	}
}

// next is where the next reading begins after a load of id, if there should be one.
func (a *ahead) next(id invocation.ID, missed bool) (from invocation.ID, ok bool) {
	switch {
	case a.reading:
		return id, false
	case !missed:
		if a.dry || len(a.records) >= aheadLow || len(a.order) == 0 {
			return id, false
		}
		return a.order[len(a.order)-1], true
	case a.left > 0:
		a.left--
		return id, false
	}
	return id, true
}

// beginReading is next, and notes that the reading begins.
func (h *handover) beginReading(id invocation.ID, missed bool) (from invocation.ID, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := &h.ahead
	if from, ok = a.next(id, missed); !ok {
		return from, false
	}
	if a.hits*aheadShare < max(a.visits, 1) {
		a.rest = min(2*a.rest+1, longestAheadRest)
	} else {
		a.rest = 0
	}
	a.reading, a.hits, a.left = true, 0, a.rest
	return from, true
}

// found is a record that a reading came to.
type found struct {
	id     invocation.ID
	record []byte
}

// endReading keeps what a reading found, as far as it can be trusted.
func (h *handover) endReading(all []found, visits int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := &h.ahead
	a.reading, a.visits, a.dry = false, visits, true
	for _, f := range all {
		if !h.knows(f.id) {
			a.add(f.id, f.record)
			a.dry = false
		}
	}
}

// knows reports whether an invocation is in memory already, or may be changing.
func (h *handover) knows(id invocation.ID) bool {
	_, kept := h.byID[id]
	_, loaded := h.loaded[id]
	_, read := h.ahead.records[id]
	_, changing := h.ahead.changing[id]
	return kept || loaded || read || changing
}

// readAhead reads the records that follow those in memory, after a load of id. Its errors cost
// nothing: the load of an invocation meets them again.
func (s *Store) readAhead(id invocation.ID, missed bool) {
	from, ok := s.handover.beginReading(id, missed)
	if !ok {
		return
	}
	all, visits := make([]found, 0, aheadKeys), 0
	defer func() { s.handover.endReading(all, visits) }()
	lower, upper := aheadRange(from)
	_ = s.each(lower, upper, func(key, v []byte) (bool, error) {
		if len(key) == len(recordPrefix)+idLen && len(v) > 0 && v[0] == record.InlineForm {
			all = append(all, found{invocation.ID(key[len(recordPrefix):]), bytes.Clone(v)})
		}
		visits++
		return visits < aheadKeys, nil
	})
}

// aheadRange is the keys of the records that may be read after that of an invocation.
func aheadRange(id invocation.ID) (lower, upper []byte) {
	lower = append(appendRecordKey(nil, id), 0)
	const shift = 16 // of the milliseconds in an id
	first := binary.BigEndian.Uint64(id[:])
	last := first + aheadMillis<<shift
	if last < first {
		return lower, after(recordPrefix)
	}
	binary.BigEndian.PutUint64(id[:], last)
	return lower, appendRecordKey(nil, id)
}
