package watch

// The latest ends, found by id and by call id, oldest forgotten first.

import (
	"queue-worker/pkg/invocation"
)

// memory keeps ends in the order in which they came. Every step of it takes the
// same time, however many ends share a call id.
type memory struct {
	mostEnds  int
	mostBytes int
	bytes     int
	byID      map[invocation.ID]*entry
	byCall    map[string]*entry // the latest of each call id
	first     *entry            // the oldest
	last      *entry
}

// entry is an end in two chains: all of them, and those of its call id.
type entry struct {
	End
	bytes                int
	older, newer         *entry
	olderCall, newerCall *entry
}

func newMemory(ends, bytes int) memory {
	return memory{
		mostEnds: ends, mostBytes: bytes, byID: map[invocation.ID]*entry{}, byCall: map[string]*entry{},
	}
}

// add remembers an end as the latest, in place of an earlier one of the same id.
func (m *memory) add(end End) {
	m.remove(end.Inv.ID)
	e := &entry{End: end, bytes: weight(end.Inv), older: m.last, olderCall: m.byCall[end.Inv.CallID]}
	if e.older != nil {
		e.older.newer = e
	} else {
		m.first = e
	}
	if e.olderCall != nil {
		e.olderCall.newerCall = e
	}
	m.last, m.byID[end.Inv.ID], m.byCall[end.Inv.CallID] = e, e, e
	m.bytes += e.bytes
	for len(m.byID) > m.mostEnds || m.bytes > m.mostBytes && m.first != m.last {
		m.remove(m.first.Inv.ID)
	}
}

// remove forgets an end.
func (m *memory) remove(id invocation.ID) {
	e := m.byID[id]
	if e == nil {
		return
	}
	delete(m.byID, id)
	m.bytes -= e.bytes
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		m.first = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		m.last = e.older
	}
	m.removeFromCall(e)
}

func (m *memory) removeFromCall(e *entry) {
	if e.olderCall != nil {
		e.olderCall.newerCall = e.newerCall
	}
	switch {
	case e.newerCall != nil:
		e.newerCall.olderCall = e.olderCall
	case e.olderCall != nil:
		m.byCall[e.Inv.CallID] = e.olderCall
	default:
		delete(m.byCall, e.Inv.CallID)
	}
}

func (m *memory) find(id invocation.ID) (End, bool) {
	if e := m.byID[id]; e != nil {
		return e.End, true
	}
	return End{}, false
}

func (m *memory) findCall(call string, limit int) []End {
	var found []End
	for e := m.byCall[call]; e != nil && len(found) < limit; e = e.olderCall {
		found = append(found, e.End)
	}
	return found
}

// weight is about how many bytes a record takes in memory.
func weight(inv *invocation.Invocation) int {
	const record, perAttempt = 600, 80
	return record + perAttempt*len(inv.Attempts) +
		len(inv.CallID) + len(inv.Function) + len(inv.URL) + len(inv.Detail) + len(inv.Lane.Queue) + len(inv.Lane.Name)
}
