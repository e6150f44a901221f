package worker

// A lane: what one function has waiting, as far as it is in memory. Only a
// bounded window of it is; the rest stays in the store's index and is read when
// the window is empty.
//
//	index:   [ done | in hand | window .......... | rest ................. ]
//	                                              ^ cursor
//
// Every entry up to the cursor has been in the window, or is in it. One that is
// added behind the cursor while the window is full draws the cursor back.

import (
	"bytes"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// window is how many entries of one lane are in memory: enough that reading the
// index costs little per call, little enough for thousands of lanes.
const window = 256

type lane struct {
	key     invocation.Lane
	waiting []store.Ready
	more    bool        // the index may hold entries behind the cursor
	cursor  store.Ready // see above; zero for the lane's beginning
	// known are the entries in the window and in hand. They are in the index too,
	// and are passed over when it is read.
	known   map[place]struct{}
	running int
	queued  bool // it stands in the round

	reading bool         // somebody reads the index just now
	missed  *store.Ready // the first of what was added meanwhile
}

// place is one entry of the index. An invocation that is retried stands in a new
// place, maybe before the slot that called it has finished with the old one.
type place struct {
	id    invocation.ID
	since int64
}

func placeOf(r store.Ready) place { return place{r.ID, r.Since.UnixNano()} }

func newLane(key invocation.Lane) *lane {
	return &lane{key: key, known: map[place]struct{}{}}
}

// before reports whether a comes before b in a lane.
func before(a, b store.Ready) bool {
	if !a.Since.Equal(b.Since) {
		return a.Since.Before(b.Since)
	}
	return bytes.Compare(a.ID[:], b.ID[:]) < 0
}

// justBefore is a place in the lane that only r and what follows it come after.
func justBefore(r store.Ready) store.Ready {
	last := invocation.ID(bytes.Repeat([]byte{0xff}, len(r.ID)))
	return store.Ready{Lane: r.Lane, Since: r.Since.Add(-time.Nanosecond), ID: last}
}

// add takes an entry that has become ready.
func (l *lane) add(r store.Ready) {
	if _, ok := l.known[placeOf(r)]; ok {
		return
	}
	switch {
	case l.reading:
		if l.missed == nil || before(r, *l.missed) {
			l.missed = &r
		}
	case !l.more && len(l.waiting) < window:
		l.push(r)
	default:
		l.leave(r)
	}
}

// push puts an entry at the end of the window.
func (l *lane) push(r store.Ready) {
	l.waiting = append(l.waiting, r)
	l.known[placeOf(r)] = struct{}{}
	if before(l.cursor, r) {
		l.cursor = r
	}
}

// leave leaves an entry to the index.
func (l *lane) leave(r store.Ready) {
	l.more = true
	if !before(l.cursor, r) {
		l.cursor = justBefore(r)
	}
}

// pop takes the first entry out of the window; it stays known, in hand.
func (l *lane) pop() store.Ready {
	r := l.waiting[0]
	l.waiting[0] = store.Ready{}
	l.waiting = l.waiting[1:]
	l.running++
	return r
}

// filled takes what was read from the index after the cursor; full means that
// there may be more.
func (l *lane) filled(found []store.Ready, full bool) {
	l.reading, l.more = false, full
	for _, r := range found {
		if _, ok := l.known[placeOf(r)]; ok {
			if before(l.cursor, r) {
				l.cursor = r
			}
			continue
		}
		l.push(r)
	}
	if l.missed != nil {
		l.leave(*l.missed)
		l.missed = nil
	}
}

// hasWork reports whether the lane has anything that is not in hand.
func (l *lane) hasWork() bool { return len(l.waiting) > 0 || l.more }

// idle reports whether the lane can be forgotten.
func (l *lane) idle() bool {
	return !l.hasWork() && l.running == 0 && !l.reading && l.missed == nil
}
