// File memory.go keeps the latest ends, found by id and by call id. The oldest are forgotten first.

package finished

import (
	"hash/maphash"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// memory keeps ends in the order in which they came. Nothing in it is a pointer to one, so that the garbage collector
// has nothing to follow and no end keeps a message in memory. To add one writes into two rings and nothing else,
// because each invocation does that; a search goes through all slots, which takes some ten microseconds.
//
//	first          next    numbers of ends, from 1
//	v              v
//	slots: a ring by number, searched from the latest on
//	data:  a ring of bytes; a slot has its place there
type memory struct {
	mostEnds    uint64
	mostBytes   uint64
	slots       []slot
	first, next uint64
	data        []byte
	tail, head  uint64 // places in data, ever growing: of the oldest byte, and after the latest
	seed        maphash.Seed
	scratch     []byte
}

// slot is where an end is. Only the latest of an id counts; an id of zero is that of a removed one.
type slot struct {
	id   invocation.ID
	call uint64 // hash of the call id
	at   uint64
	size uint64
}

// leastData is the first size of data, in bytes.
const leastData = 64 << 10

func newMemory(ends, bytes uint64) memory {
	return memory{mostEnds: ends, mostBytes: bytes, first: 1, next: 1, seed: maphash.MakeSeed()}
}

// add keeps an end as the latest, in place of an earlier one of the same id.
func (m *memory) add(end store.End) {
	m.scratch = appendEnd(m.scratch[:0], &end)
	size := uint64(len(m.scratch))
	if size > m.mostBytes {
		m.remove(end.Inv.ID)
		return
	}
	for m.next-m.first >= m.mostEnds || m.head-m.tail+size > m.mostBytes {
		m.forget()
	}
	m.grow(m.head - m.tail + size)
	m.write(m.head, m.scratch)
	s := slot{id: end.Inv.ID, call: maphash.String(m.seed, end.Inv.CallID), at: m.head, size: size}
	if n := m.next - 1; n < m.mostEnds {
		m.slots = append(m.slots, s)
	} else {
		*m.slot(m.next) = s
	}
	m.next++
	m.head += size
}

// slot is the one of a number.
func (m *memory) slot(number uint64) *slot { return &m.slots[(number-1)%m.mostEnds] }

// latest goes through the slots from the latest to the oldest.
func (m *memory) latest(yield func(*slot) bool) {
	for n := m.next; n > m.first; n-- {
		if !yield(m.slot(n - 1)) {
			return
		}
	}
}

// remove forgets an end. Its place is free when it would have been.
func (m *memory) remove(id invocation.ID) {
	for s := range m.latest {
		if s.id == id {
			s.id, s.call = invocation.ID{}, 0
		}
	}
}

// forget frees the place of the oldest end.
func (m *memory) forget() {
	s := m.slot(m.first)
	m.tail = s.at + s.size
	m.first++
}

// grow makes room for so many bytes, at most mostBytes.
func (m *memory) grow(bytes uint64) {
	room := uint64(len(m.data))
	if room >= bytes {
		return
	}
	kept := m.read(m.tail, m.head-m.tail)
	m.data = make([]byte, min(max(2*room, leastData, bytes), m.mostBytes))
	m.write(m.tail, kept)
}

func (m *memory) write(at uint64, b []byte) {
	for len(b) > 0 {
		n := copy(m.data[at%uint64(len(m.data)):], b)
		at, b = at+uint64(n), b[n:] // #nosec G115 -- a length
	}
}

func (m *memory) read(at, size uint64) []byte {
	b := make([]byte, 0, size)
	for left := size; left > 0; left = size - uint64(len(b)) {
		from := (at + uint64(len(b))) % uint64(len(m.data))
		b = append(b, m.data[from:min(from+left, uint64(len(m.data)))]...)
	}
	return b
}

func (m *memory) find(id invocation.ID) (store.End, bool) {
	for s := range m.latest {
		if s.id == id && !id.IsZero() {
			return m.end(s), true
		}
	}
	return store.End{}, false
}

func (m *memory) end(s *slot) store.End { return readEnd(m.read(s.at, s.size)) }

func (m *memory) findCall(call string, limit int) []store.End {
	var found []store.End
	hash, seen := maphash.String(m.seed, call), map[invocation.ID]bool{}
	for s := range m.latest {
		if len(found) >= limit {
			break
		}
		if s.call != hash || s.id.IsZero() || seen[s.id] {
			continue
		}
		seen[s.id] = true
		if e := m.end(s); e.Inv.CallID == call { // or another one with the same hash
			found = append(found, e)
		}
	}
	return found
}
