// File pool.go shares a part of the memory for bodies among uploads, so that none
// waits for ever.

package ingest

import (
	"slices"
	"time"
)

// pool is memory that uploads share. While any waits, the slowest senders are refused: see
// relieve. Where the worker knows credentials, uploads without them, the guests, have at
// most three quarters, so that operators get in.
type pool struct {
	limit      int64
	used       int64 // by all
	guestsUsed int64
	members    map[*share]struct{}
	waiting    []*waiter // in the order in which they are served
}

// share is what an upload has of a pool.
type share struct {
	*upload
	pool  *pool
	held  int64
	claim int64 // the most that it may need
}

// waiter is a share that waits for n more bytes.
type waiter struct {
	*share
	n      int64
	answer chan error
}

// rank orders those that wait: uploads that have something, operators, guests.
func (w *waiter) rank() int {
	switch {
	case w.held > 0:
		return 0
	case !w.guest:
		return 1
	}
	return 2
}

func newPool(limit int64) pool { return pool{limit: limit, members: map[*share]struct{}{}} }

// admits reports whether s may have more: only while all that it may still need is free. So
// of the uploads that have memory, one can always have all that it needs, and when it has
// given that back, the next one can. None waits for ever, and no memory is set aside.
func (p *pool) admits(s *share) bool { return s.claim-s.held <= p.free(s) }

// free is the memory that is free for a share.
func (p *pool) free(s *share) int64 {
	free := p.limit - p.used
	if s.guest {
		free = min(free, p.limit*3/4-p.guestsUsed)
	}
	return free
}

// hold gives s n more bytes.
func (p *pool) hold(s *share, n int64) {
	s.held += n
	p.used += n
	if s.guest {
		p.guestsUsed += n
	}
	p.members[s] = struct{}{}
	if s.held == 0 {
		delete(p.members, s)
	}
}

// release takes n bytes back, for those that wait.
func (p *pool) release(s *share, n int64) {
	if n != 0 {
		p.hold(s, -n)
		p.serve()
	}
}

// enqueue adds a waiter. Of those that have nothing yet, the last comes first: so many
// patient senders that came before do not hold it up, and when there are too many, as few as
// possible wait in vain.
func (p *pool) enqueue(w *waiter) {
	at := slices.IndexFunc(p.waiting, func(o *waiter) bool { return o.rank() > w.rank() || o.rank() == w.rank() && w.held == 0 })
	if at < 0 {
		at = len(p.waiting)
	}
	p.waiting = slices.Insert(p.waiting, at, w)
}

// dequeue removes a waiter.
func (p *pool) dequeue(w *waiter) {
	p.waiting = slices.DeleteFunc(p.waiting, func(o *waiter) bool { return o == w })
	p.serve()
}

// serve gives those that wait what there is. An upload that has nothing yet passes none
// before it, but a guest does not hold up an operator.
func (p *pool) serve() {
	var blocked, guestsBlocked bool
	p.waiting = slices.DeleteFunc(p.waiting, func(w *waiter) bool {
		passing := w.held == 0 && (blocked || w.guest && guestsBlocked)
		if passing || !p.admits(w.share) {
			blocked, guestsBlocked = blocked || !w.guest, true
			return false
		}
		p.hold(w.share, w.n)
		w.answer <- nil
		return true
	})
	if len(p.waiting) > 0 {
		p.relieve()
	}
}

// relieve refuses the slowest sender while others wait, if it is slower than slowRate. It
// waits for one that was refused to leave, which may be enough. Guests push out guests alone.
func (p *pool) relieve() {
	now, least := time.Now(), float64(slowRate)
	operators := slices.ContainsFunc(p.waiting, func(w *waiter) bool { return !w.guest })
	var slowest *share
	for m := range p.members {
		if m.refused {
			return
		}
		if rate := m.rateAt(now); rate < least && (m.guest || operators) {
			slowest, least = m, rate
		}
	}
	if slowest != nil {
		slowest.refuse()
	}
}
