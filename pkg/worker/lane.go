// File lane.go has a lane: the pending invocations of one function, as far as they are in
// memory. A lane has a bounded window in memory; the rest stays in the store's index and is
// read when the window is empty.
//
//	index:   [ done | in flight | window ........ | rest ................. ]
//	                                              ^ cursor
//
// Every entry up to the cursor has been in the window, or is in it. An entry that is added
// before the cursor while the window is full moves the cursor back.
//
// Entries are called in the order of the index, except for those that join the window's end
// because the index had no more at that moment.

package worker

import (
	"bytes"
	"slices"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// A window has at most mostWindow entries: enough that reading the index costs
// little per call. With many lanes each has less, so that all windows together
// have no more than windows, but for the least that each is left with.
const (
	mostWindow  = 256
	leastWindow = 16
	windows     = 64 << 10
)

type lane struct {
	key     invocation.Lane
	waiting []place // the window
	more    bool    // the index may hold entries after the cursor
	cursor  place   // see above; zero for the lane's beginning
	// known are the entries in the window and in flight, and those that are parked.
	// They are in the index too, and are passed over when it is read.
	known   map[place]struct{}
	running int  // calls in flight, and a turn of which the entry is still being read
	paused  bool // it has no turn, whatever it has
	fresh   bool // it is one of those that came last, while there are too many; see admit
	isURL   bool
	class   class // in which its calls in flight are counted; see Lanes.classify
	host    host  // likewise, of a URL

	// Where it stands: in a heap of its round, or in a list, or nowhere.
	throttle     *laneThrottle
	in           *turns
	at           int     // its place there
	turnAt       float64 // its pass, see round.go
	list         *laneList
	older, newer *lane // its neighbours there
	came         uint64
	ahead        bool // it stands before those with much waiting

	opens   time.Time // when it may begin a call, see openings
	opensAt int       // its place there, from 1; 0 for none

	// While one reads the index, others continue. What they do is kept until the
	// reading has ended, because it may or may not be in what was read.
	reading bool
	missed  *place  // the first of what was added
	gone    []place // what was settled
}

// place is one entry of the index. An invocation that is retried stands in a new
// place, maybe before the slot that called it has finished with the old one. The
// time is the wall clock's, as in the index: the monotonic clock, which orders
// times within a process, would disagree with it after the clock was set.
type place struct {
	since int64 // Unix time in nanoseconds
	id    invocation.ID
}

// placeOf is the place of an entry; a clock that was never set gives no time
// before 1970, in the index neither.
func placeOf(r store.Ready) place { return place{max(r.Since.UnixNano(), 0), r.ID} }

// ready is the entry as the store knows it.
func (l *lane) ready(p place) store.Ready {
	return store.Ready{Lane: l.key, Since: time.Unix(0, p.since), ID: p.id}
}

// before reports whether p comes before q in a lane.
func (p place) before(q place) bool {
	if p.since != q.since {
		return p.since < q.since
	}
	return bytes.Compare(p.id[:], q.id[:]) < 0
}

// lastID is the greatest id.
var lastID = invocation.ID(bytes.Repeat([]byte{0xff}, len(invocation.ID{})))

// predecessor is a place that only p and what follows p come after.
func (p place) predecessor() place { return place{p.since - 1, lastID} }

func newLane(key invocation.Lane, t *laneThrottle) *lane {
	return &lane{key: key, known: map[place]struct{}{}, throttle: t, isURL: invocation.IsCallbackLane(key.Name)}
}

// stands reports whether the lane waits for its turn, or for an answer.
func (l *lane) stands() bool { return l.in != nil || l.list != nil }

// add takes an entry that has become ready; limit is that of the window.
func (l *lane) add(p place, limit int) {
	if _, ok := l.known[p]; ok {
		return
	}
	switch {
	case l.reading:
		l.miss(p)
	case !l.more && len(l.waiting) < limit:
		l.push(p)
	default:
		l.leave(p)
	}
}

// miss keeps the first of what is added while the index is read.
func (l *lane) miss(p place) {
	if l.missed == nil || p.before(*l.missed) {
		l.missed = &p
	}
}

// push puts an entry at the end of the window.
func (l *lane) push(p place) {
	l.waiting = append(l.waiting, p)
	l.known[p] = struct{}{}
	l.pass(p)
}

// pass moves the cursor on, to an entry that is known.
func (l *lane) pass(p place) {
	if l.cursor.before(p) {
		l.cursor = p
	}
}

// front puts an entry before all others. The cursor stays where it is, since what
// stands between was not read yet; when the index is read there, the entry is known.
func (l *lane) front(p place) {
	if _, ok := l.known[p]; ok {
		return
	}
	l.waiting = slices.Insert(l.waiting, 0, p)
	l.known[p] = struct{}{}
}

// leave leaves an entry to the index.
func (l *lane) leave(p place) {
	l.more = true
	if !l.cursor.before(p) {
		l.cursor = p.predecessor()
	}
}

// pop takes the first entry out of the window; it stays known, in flight.
func (l *lane) pop() place {
	p := l.waiting[0]
	l.waiting = l.waiting[1:]
	return p
}

// remove takes an entry out of the window, and reports whether it was there. One that is in flight
// or parked is not in the window and stays known.
func (l *lane) remove(p place) bool {
	at := slices.Index(l.waiting, p)
	if at < 0 {
		return false
	}
	l.waiting = slices.Delete(l.waiting, at, at+1)
	l.forget(p)
	return true
}

// forget lets go of an entry that was settled.
func (l *lane) forget(p place) {
	if l.reading {
		l.gone = append(l.gone, p)
		return
	}
	delete(l.known, p)
}

// filled takes what was read from the index after the cursor; full means that
// there may be more.
func (l *lane) filled(found []store.Ready, full bool) {
	l.reading, l.more = false, full
	for _, r := range found {
		p := placeOf(r)
		if _, ok := l.known[p]; ok {
			l.pass(p)
			continue
		}
		l.push(p)
	}
	for _, p := range l.gone {
		delete(l.known, p)
	}
	l.gone = nil
	if l.missed != nil {
		l.leave(*l.missed)
		l.missed = nil
	}
}

// hasWork reports whether the lane has anything that is not in flight.
func (l *lane) hasWork() bool { return len(l.waiting) > 0 || l.more }

// hasRoom reports whether one more call may be in flight. While it is not known what
// the function asks for, or whether the host answers, one goes alone to find out.
func (l *lane) hasRoom() bool {
	return l.running == 0 || l.running < l.throttle.limit() && l.throttle.introduced && (!l.isURL || l.host == hostProven)
}

// hasLittle reports whether the lane has few entries that are not in flight.
func (l *lane) hasLittle() bool { return !l.more && len(l.waiting) <= littleWaiting }

// idle reports whether nothing is lost when the lane is forgotten. A lane that
// is being read has work until it was.
func (l *lane) idle() bool { return !l.hasWork() && len(l.known) == 0 }
