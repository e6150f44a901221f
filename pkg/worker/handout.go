// File handout.go gives entries to slots, and takes them back.

package worker

import (
	"context"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/store"
)

// index is where lanes read what is not in memory.
type index interface {
	// Take takes entries of a lane, and Give gives them back; see store.Work.
	Take(ctx context.Context, lane invocation.Lane, from store.Ready, limit int) ([]store.Ready, error)
	Give(ctx context.Context, entries []store.Ready) error
	// Err is nil while outcomes can be stored; no call may begin otherwise.
	Err() error
}

// taken is an entry in flight.
type taken struct {
	store.Ready
	full  bool // with it, its lane has as many calls as it may have
	probe bool // it finds out whether the function can be reached again
	// asked is what its lane knew of the function's wishes, introduced whether it knew,
	// and unknown whether there was surely no such function.
	asked      policy.Lane
	introduced bool
	unknown    bool
}

// take returns the next entry for a slot. When there is none, or taking has
// stopped, ok is false and the slot is free again: its goroutine has to end.
func (l *Lanes) take(ctx context.Context, slot int, x index) (h taken, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.stopped {
		if x.Err() != nil {
			l.stuck = true
			break
		}
		ln := l.turn()
		if ln == nil {
			break
		}
		if len(ln.waiting) == 0 && !l.read(ctx, ln, x) {
			continue
		}
		if l.stopped || ln.paused {
			l.count(ln, -1)
			continue // a lane that was paused while it was read has its turn after Resume
		}
		h = l.takeFrom(ln)
		l.enqueue(ln)
		l.spawn()
		return h, true
	}
	l.slots = append(l.slots, slot)
	return taken{}, false
}

// takeFrom takes a lane's next entry: it is in flight then.
func (l *Lanes) takeFrom(ln *lane) taken {
	h := taken{Ready: ln.ready(ln.pop()), asked: ln.throttle.asked, introduced: ln.throttle.introduced, unknown: ln.throttle.unknown}
	h.full = ln.running >= ln.throttle.limit()
	h.probe = ln.throttle.begin(time.Now())
	return h
}

// read fills the window of a lane from the index and reports whether there is
// anything in it.
func (l *Lanes) read(ctx context.Context, ln *lane, x index) bool {
	limit := l.window()
	ln.reading = true
	l.spawn() // others may take their turns
	found, err := l.fetch(ctx, ln.ready(ln.cursor), limit, x)
	ln.filled(found, err != nil || len(found) == limit)
	if err != nil {
		l.stuck = true // the store has said why
		l.count(ln, -1)
		return false
	}
	if len(ln.waiting) > 0 {
		return true
	}
	l.count(ln, -1)
	l.enqueue(ln)
	l.forget(ln)
	return false
}

// fetch reads the index without holding the lock meanwhile.
func (l *Lanes) fetch(ctx context.Context, from store.Ready, limit int, x index) ([]store.Ready, error) {
	l.mu.Unlock()
	defer l.mu.Lock()
	return x.Take(ctx, from.Lane, from, limit)
}

// finish says that an entry is no longer in flight, nor in its place. The slot that
// had it takes the next.
func (l *Lanes) finish(r store.Ready) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := l.lanes[r.Lane]
	ln.forget(placeOf(r))
	l.returned(ln)
	l.forget(ln)
}

// left lets go of an entry that has left its place without a call.
func (l *Lanes) left(r store.Ready) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := l.lanes[r.Lane]
	if ln == nil || !ln.remove(placeOf(r)) {
		return
	}
	if !ln.stands() && !ln.reading && ln.running == 0 {
		l.forget(ln)
	}
}

// park says that an entry is no longer in flight and must not be called again in
// this process's life, although it stays in its place.
func (l *Lanes) park(r store.Ready) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.returned(l.lanes[r.Lane])
}

// returned lets a lane with one call less have its turn again.
func (l *Lanes) returned(ln *lane) {
	l.count(ln, -1)
	l.round(ln.key.Queue).shift(ln)
	l.enqueue(ln)
}

// forget drops a lane that has nothing left.
func (l *Lanes) forget(ln *lane) {
	if ln.idle() {
		l.remove(ln)
	}
}
