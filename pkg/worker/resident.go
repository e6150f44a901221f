// File resident.go bounds the lanes in memory. Callers invent names of functions and
// hosts without end; a lane that is not resident costs its entries in the store's index
// and nothing else.
//
//	resident:  lanes that may be dropped last ... | fresh: the latest to come
//	absent:    in the index only, found by a scan that goes round
//
// A lane to which something comes is resident at once, and fresh while there are too
// many: the one that has been fresh for longest makes room for it. When resident lanes
// have been worked off, the scan brings absent ones, each in its turn.

package worker

import (
	"context"

	"queue-worker/pkg/invocation"
)

// Bounds of the resident lanes of functions, and as many of URLs. Those that favoured
// says are beyond them, and bounded otherwise.
const (
	mostResident = 8192
	mostFresh    = 512
	// scanPage is how many lanes are read at a time, and dropPage how many blocked ones
	// make room in a second.
	scanPage = 256
	dropPage = 1024
)

// scan finds lanes in the index; see store.Store.
type scan interface {
	ReadyLanes(ctx context.Context, from invocation.Lane, urls bool, limit int) ([]invocation.Lane, error)
}

// residents are the resident lanes of functions, or of URLs.
type residents struct {
	urls   bool
	count  int
	spared int     // of them, those that could not be dropped when rotate last looked
	fresh  []*lane // the one that came first is first; some are not resident any more
	absent bool    // there may be absent lanes
	clean  bool    // no lane was dropped since the scan began at the beginning
	cursor invocation.Lane
	// scanning: the index is being read. A second scan would move the cursor under it.
	scanning bool
}

func (l *Lanes) residentsOf(ln *lane) *residents {
	if ln.isURL {
		return &l.residents[1]
	}
	return &l.residents[0]
}

// favoured reports whether a lane is never dropped: it is paused, or its function or
// host has answered, so that it is none of those that callers have invented.
func (l *Lanes) favoured(ln *lane) bool {
	return ln.paused || ln.throttle.proven || ln.isURL && ln.host == hostProven
}

// Proven lists the lanes of functions of which a call has succeeded lately. Callers
// cannot have invented them.
func (l *Lanes) Proven() (lanes []invocation.Lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, t := range l.throttles {
		if t.proven && !invocation.IsCallbackLane(key.Name) {
			lanes = append(lanes, key)
		}
	}
	return lanes
}

// admit makes a lane resident to which something comes.
func (l *Lanes) admit(ln *lane) {
	s := l.residentsOf(ln)
	l.lanes[ln.key] = ln
	s.count++
	ln.more = s.absent // it may be one of those
	if !s.absent && s.count <= l.mostResident || l.favoured(ln) {
		return
	}
	ln.fresh = true
	s.fresh = append(s.fresh, ln)
	if len(s.fresh) > l.mostFresh {
		oldest := s.fresh[0]
		oldest.fresh, s.fresh[0] = false, nil
		s.fresh = s.fresh[1:]
		l.drop(oldest)
	}
}

// droppable reports whether nothing is lost without a lane, such as a call in flight or
// an entry that must not be called again.
func (l *Lanes) droppable(ln *lane) bool {
	return ln.running == 0 && !ln.reading && len(ln.known) == len(ln.waiting) && !l.favoured(ln)
}

// drop lets a lane be absent, if that is possible.
func (l *Lanes) drop(ln *lane) {
	if l.lanes[ln.key] != ln || !l.droppable(ln) {
		return
	}
	l.round(ln.key.Queue).leave(ln)
	l.timed.leave(ln)
	s := l.residentsOf(ln)
	s.absent, s.clean = true, false
	l.unwant(ln)
	l.remove(ln)
}

// remove takes a lane out of memory.
func (l *Lanes) remove(ln *lane) {
	delete(l.lanes, ln.key)
	if len(l.throttles) > mostThrottles+len(l.lanes) && !ln.throttle.proven {
		delete(l.throttles, ln.key)
	}
	s := l.residentsOf(ln)
	s.count--
	if s.absent && s.count == l.mostResident*3/4 {
		l.wakeTimer() // there is room for many
	}
}

// refill makes absent lanes resident, as far as there is room.
func (l *Lanes) refill(ctx context.Context, x scan) {
	for n := range l.residents {
		for more := true; more; {
			more = l.refillFrom(ctx, &l.residents[n], x)
		}
	}
}

// refillFrom brings the next absent lanes. It reports false when there is no more room,
// or the scan has come to the end. After an error the timer tries again.
func (l *Lanes) refillFrom(ctx context.Context, s *residents, x scan) (more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit := min(l.mostResident+s.spared-s.count, scanPage)
	if !s.absent || s.scanning || l.stopped || limit <= 0 {
		return false
	}
	if s.cursor == (invocation.Lane{}) {
		s.clean = true
	}
	found, err := l.scan(ctx, s, limit, x)
	if err != nil {
		return false // the store has said why
	}
	for _, key := range found {
		if l.lanes[key] == nil {
			ln := l.newLane(key)
			l.lanes[key], ln.more = ln, true
			s.count++
			l.enqueue(ln)
			l.spawn()
		}
		s.cursor = key
	}
	if len(found) == limit {
		return true
	}
	s.cursor = invocation.Lane{}
	s.absent = !s.clean
	return false
}

// scan reads the index without holding the lock meanwhile.
func (l *Lanes) scan(ctx context.Context, s *residents, limit int, x scan) ([]invocation.Lane, error) {
	from := s.cursor
	s.scanning = true
	l.mu.Unlock()
	found, err := x.ReadyLanes(ctx, from, s.urls, limit)
	l.mu.Lock()
	s.scanning = false
	return found, err
}

// rotate lets lanes be absent that are held back, so that others can be resident, and
// counts those that have to stay.
func (l *Lanes) rotate() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.residents[0].absent && !l.residents[1].absent {
		return
	}
	left := dropPage
	l.residents[0].spared, l.residents[1].spared = 0, 0
	for _, ln := range l.lanes {
		s := l.residentsOf(ln)
		switch {
		case !l.droppable(ln):
			s.spared++
		case left > 0 && s.absent && !ln.stands() && !ln.throttle.unasked:
			l.drop(ln)
			left--
		}
	}
}
