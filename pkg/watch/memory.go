// File memory.go keeps the latest ends, found by id and by call id. The oldest are forgotten first.

package watch

import (
	"hash/maphash"

	"queue-worker/pkg/invocation"
)

// memory keeps ends in the order in which they came. Nothing in it is a pointer to one, so that the garbage collector
// has nothing to follow and no end keeps a message in memory. Every step takes the same time, however many ends share
// a call id.
//
//	first          next    numbers of ends, from 1
//	v              v
//	slots: a ring by number; older points to the end before it with the same call id
//	data:  a ring of bytes; a slot has its place there
type memory struct {
	mostEnds    uint64
	mostBytes   uint64
	slots       []slot
	first, next uint64
	data        []byte
	tail, head  uint64 // places in data, ever growing: of the oldest byte, and after the latest
	byID        map[invocation.ID]uint64
	byCall      map[uint64]uint64 // the latest by hash
	seed        maphash.Seed
	scratch     []byte
}

// slot is where an end is. One that was removed, or has a successor of the same id, is not in byID.
type slot struct {
	id    invocation.ID
	call  uint64 // hash of the call id
	older uint64 // number of the end before it with that hash; 0 for none
	at    uint64
	size  uint64
}

// leastData is the first size of data, in bytes.
const leastData = 64 << 10

func newMemory(ends, bytes uint64) memory {
	return memory{
		mostEnds: ends, mostBytes: bytes, first: 1, next: 1, seed: maphash.MakeSeed(),
		byID: map[invocation.ID]uint64{}, byCall: map[uint64]uint64{},
	}
}

// add keeps an end as the latest, in place of an earlier one of the same id.
func (m *memory) add(end End) {
	m.scratch = appendEnd(m.scratch[:0], &end)
	size := uint64(len(m.scratch))
	m.remove(end.Inv.ID)
	if size > m.mostBytes {
		return
	}
	for m.next-m.first >= m.mostEnds || m.head-m.tail+size > m.mostBytes {
		m.forget()
	}
	m.grow(m.head - m.tail + size)
	m.write(m.head, m.scratch)
	call := maphash.String(m.seed, end.Inv.CallID)
	s := slot{id: end.Inv.ID, call: call, older: m.byCall[call], at: m.head, size: size}
	if n := m.next - 1; n < m.mostEnds {
		m.slots = append(m.slots, s)
	} else {
		*m.slot(m.next) = s
	}
	m.byID[s.id], m.byCall[call] = m.next, m.next
	m.next++
	m.head += size
}

// slot is the one of a number.
func (m *memory) slot(number uint64) *slot { return &m.slots[(number-1)%m.mostEnds] }

// remove forgets an end. Its place is free when it would have been.
func (m *memory) remove(id invocation.ID) { delete(m.byID, id) }

// forget frees the place of the oldest end.
func (m *memory) forget() {
	s := m.slot(m.first)
	if m.byID[s.id] == m.first {
		delete(m.byID, s.id)
	}
	if m.byCall[s.call] == m.first {
		delete(m.byCall, s.call)
	}
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

func (m *memory) find(id invocation.ID) (End, bool) {
	number, ok := m.byID[id]
	if !ok {
		return End{}, false
	}
	return m.end(number), true
}

func (m *memory) end(number uint64) End {
	s := m.slot(number)
	return readEnd(m.read(s.at, s.size))
}

func (m *memory) findCall(call string, limit int) []End {
	var found []End
	for n := m.byCall[maphash.String(m.seed, call)]; n >= m.first && len(found) < limit; n = m.slot(n).older {
		if m.byID[m.slot(n).id] != n {
			continue
		}
		if e := m.end(n); e.Inv.CallID == call { // or another one with the same hash
			found = append(found, e)
		}
	}
	return found
}
