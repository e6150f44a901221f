// File end.go encodes ends, many of them one after another, since a store writes those of a batch
// together.

package record

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Ends collects the ends of one batch:
//
//	form, when they ended, and for each
//	flags, id, call id, origin, sequence, name, accepted, retries, replays, attempts, the latest of them
//
// Lanes and functions come once each, when they are first named; later ends have their number.
// Times are differences to the end. A typical end takes 55 bytes. The zero value is empty.
type Ends struct {
	at    time.Time
	bytes []byte
	names []endName
}

// endName is what many ends of a batch have in common.
type endName struct {
	queue, lane, function string
}

// endForm begins the ends of a batch.
const endForm = 1

// Flags of an end. The lowest two bits are its outcome.
const (
	endOutcome    = 3
	endIsCallback = 1 << (iota + 1)
	endIsUUID     // its call id
	endHasOrigin
	endWasCalled // it has a latest attempt
	endIsSuperseded
	endHasSequence // of a callback, beyond 1
)

// endOutcomes are the outcomes of what leaves a store, by their number.
var endOutcomes = []invocation.Outcome{invocation.OutcomeDone, invocation.OutcomeDropped, invocation.OutcomeCancelled}

var errBadEnd = errors.New("an end of an unknown form")

// Reset makes e empty, and keeps its memory.
func (e *Ends) Reset() { e.bytes, e.names = e.bytes[:0], e.names[:0] }

// Bytes are the ends that were added; nil for none. They are valid until the next Reset.
func (e *Ends) Bytes() []byte { return e.bytes }

// Add appends the end of an invocation. All of a batch have ended when the first of them did.
func (e *Ends) Add(inv *invocation.Invocation, outcome invocation.Outcome, now time.Time) {
	if len(e.bytes) == 0 {
		e.at = now
		e.bytes = binary.BigEndian.AppendUint64(append(e.bytes, endForm), uint64(now.UnixNano())) // #nosec G115 -- read the same way
	}
	call, err := invocation.ParseID(inv.CallID)
	isUUID := err == nil && strings.ToLower(inv.CallID) == inv.CallID
	e.bytes = append(e.bytes, endFlags(inv, outcome, isUUID))
	e.bytes = append(e.bytes, inv.ID[:]...)
	if isUUID {
		e.bytes = append(e.bytes, call[:]...)
	} else {
		e.text(inv.CallID)
	}
	if !inv.Origin.IsZero() {
		e.bytes = append(e.bytes, inv.Origin[:]...)
	}
	if hasSequence(inv) {
		e.number(inv.Sequence)
	}
	e.name(endName{inv.Lane.Queue, laneOfEnd(inv), inv.Function})
	e.since(inv.Accepted)
	e.number(inv.Retries)
	e.number(inv.Replays)
	e.number(inv.Calls())
	if last := len(inv.Attempts) - 1; last >= 0 {
		a := &inv.Attempts[last]
		e.since(a.At)
		e.number(int(a.Duration))
		e.number(a.Status)
		e.text(string(a.Cause))
	}
}

// laneOfEnd is the name of the lane, but for callbacks: theirs has the host of a URL.
func laneOfEnd(inv *invocation.Invocation) string {
	if inv.Kind == invocation.KindCallback {
		return ""
	}
	return inv.Lane.Name
}

func hasSequence(inv *invocation.Invocation) bool {
	return inv.Kind == invocation.KindCallback && inv.Sequence > 1
}

func endFlags(inv *invocation.Invocation, outcome invocation.Outcome, isUUID bool) byte {
	n := slices.Index(endOutcomes, outcome)
	if n < 0 {
		panic("record: an outcome that stays in the store")
	}
	flags := byte(n) // #nosec G115 -- at most 2
	if inv.Kind == invocation.KindCallback {
		flags |= endIsCallback
	}
	if isUUID {
		flags |= endIsUUID
	}
	if !inv.Origin.IsZero() {
		flags |= endHasOrigin
	}
	if len(inv.Attempts) > 0 {
		flags |= endWasCalled
	}
	if inv.Reason == invocation.Superseded {
		flags |= endIsSuperseded
	}
	if hasSequence(inv) {
		flags |= endHasSequence
	}
	return flags
}

func (e *Ends) text(s string) { e.bytes = append(binary.AppendUvarint(e.bytes, uint64(len(s))), s...) }

func (e *Ends) number(n int) { e.bytes = binary.AppendVarint(e.bytes, int64(n)) }

func (e *Ends) since(t time.Time) { e.bytes = binary.AppendVarint(e.bytes, int64(e.at.Sub(t))) }

// name appends the number of a name, and the name itself when it is new.
func (e *Ends) name(n endName) {
	i := slices.Index(e.names, n)
	if i >= 0 {
		e.number(i)
		return
	}
	e.number(len(e.names))
	e.names = append(e.names, n)
	e.text(n.queue)
	e.text(n.lane)
	e.text(n.function)
}

// EachEnd calls f with the ends of a batch in the order in which they were added, until f has enough.
func EachEnd(b []byte, f func(*store.End) (more bool)) error {
	if len(b) < 9 || b[0] != endForm {
		return errBadEnd
	}
	r := endReader{at: time.Unix(0, int64(binary.BigEndian.Uint64(b[1:]))).UTC(), rest: b[9:]} // #nosec G115 -- written the same way
	for len(r.rest) > 0 {
		end := r.end()
		if r.bad {
			return errBadEnd
		}
		if !f(end) {
			return nil
		}
	}
	return nil
}

// endReader reads what Ends has written.
type endReader struct {
	at    time.Time
	rest  []byte
	names []endName
	bad   bool // something else was met; what is read is worth nothing
}

func (r *endReader) end() *store.End {
	flags := r.take(1)[0]
	outcome := int(flags & endOutcome)
	if outcome >= len(endOutcomes) {
		r.bad = true
		return nil
	}
	inv := &invocation.Invocation{ID: r.id()}
	if flags&endIsUUID != 0 {
		inv.CallID = r.id().String()
	} else {
		inv.CallID = r.text()
	}
	if flags&endIsCallback != 0 {
		inv.Kind = invocation.KindCallback
	}
	if flags&endHasOrigin != 0 {
		inv.Origin = r.id()
	}
	if flags&endHasSequence != 0 {
		inv.Sequence = r.number()
	}
	if flags&endIsSuperseded != 0 {
		inv.Supersede()
	}
	n := r.name()
	inv.Lane, inv.Function = invocation.Lane{Queue: n.queue, Name: n.lane}, n.function
	inv.Accepted, inv.Retries, inv.Replays, inv.Omitted = r.since(), r.number(), r.number(), r.number()
	if flags&endWasCalled != 0 {
		inv.Attempts = []invocation.Attempt{{At: r.since(), Duration: time.Duration(r.number()), Status: r.number(), Cause: invocation.Cause(r.text())}}
		inv.Omitted--
	}
	return &store.End{Inv: inv, Outcome: endOutcomes[outcome], At: r.at}
}

// take returns the next n bytes.
func (r *endReader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.bad, r.rest = true, nil
		return make([]byte, max(1, min(n, len(invocation.ID{}))))
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *endReader) id() (id invocation.ID) {
	copy(id[:], r.take(len(id)))
	return id
}

func (r *endReader) text() string {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return ""
	}
	r.rest = r.rest[size:]
	return string(r.take(int(n))) // #nosec G115 -- at most what there is
}

func (r *endReader) number() int {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return int(n)
}

func (r *endReader) since() time.Time { return r.at.Add(-time.Duration(r.number())) }

func (r *endReader) name() endName {
	n := r.number()
	switch {
	case n < 0 || n > len(r.names):
		r.bad = true
		return endName{}
	case n == len(r.names):
		r.names = append(r.names, endName{r.text(), r.text(), r.text()})
	}
	return r.names[n]
}
