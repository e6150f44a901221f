// File book_state.go has the state of the book that others read and set.

package intake

import (
	"context"
	"errors"
	"time"
)

// wake lets those who wait look again.
func (b *book) wake() {
	if b.waiting > 0 {
		close(b.changed)
		b.changed = make(chan struct{})
	}
	if b.full && b.idle() {
		b.review.raise() // the session waits for this to close its subscriptions
	}
}

// idle reports whether nothing is unsettled and every ack is sent.
func (b *book) idle() bool { return len(b.holds) == 0 && b.acking == 0 }

// waitFor returns when is reports true, which it asks with the lock held, or ctx is done.
func (b *book) waitFor(ctx context.Context, is func() bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting++
	defer func() { b.waiting-- }()
	for !is() {
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		b.mu.Lock()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

var errAcksLeft = errors.New("not every settled message could be acked; those may be redelivered")

// waitAcks waits until every ack that was due is sent.
func (b *book) waitAcks(d time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), d, errAcksLeft)
	defer cancel()
	return b.waitFor(ctx, func() bool { return b.acking == 0 })
}

// waitAcked waits until every ack that is due by now is sent; more may be due then.
func (b *book) waitAcked(ctx context.Context) error {
	b.mu.Lock()
	due := b.acked + uint64(b.acking) // #nosec G115 -- a count
	b.mu.Unlock()
	return b.waitFor(ctx, func() bool { return b.acked >= due })
}

var errNotStored = errors.New("the store has not confirmed every message")

// waitIdle waits until nothing is unsettled.
func (b *book) waitIdle(d time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), d, errNotStored)
	defer cancel()
	return b.waitFor(ctx, b.idle)
}

// waitRoom waits until one more message may be taken.
func (b *book) waitRoom(ctx context.Context) error { return b.waitFor(ctx, b.room) }

// drain takes nothing new from now on.
func (b *book) drain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.draining = true
}

// setFull says whether the store has room.
func (b *book) setFull(full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full != full {
		b.full = full
		b.announce()
		b.review.raise()
	}
}

// isFull reports the last value of setFull.
func (b *book) isFull() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.full
}

func (b *book) isIdle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.idle()
}

// forgetParked is called between two subscriptions: the server delivers again, by
// itself, what was parked.
func (b *book) forgetParked() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.parked)
	b.epoch++
}

// span is a part of a queue in which messages are parked, from the lowest to the
// highest sequence.
type span struct {
	low, high uint64
	epoch     int
}

// parkedSpan is where to fetch from; false when there is nothing, or no room.
func (b *book) parkedSpan(queue int, now time.Time) (s span, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.draining || !b.room() || now.Before(b.notBefore) {
		return span{}, false
	}
	for k := range b.parked {
		if k.queue != queue {
			continue
		}
		if !ok || k.sequence < s.low {
			s.low = k.sequence
		}
		s.high = max(s.high, k.sequence)
		ok = true
	}
	s.epoch = b.epoch
	return s, ok
}

// discarded forgets the parked messages of a queue below a sequence, which the
// server does not have any more, and counts them.
func (b *book) discarded(queue, epoch int, below uint64) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for k := range b.parked {
		if epoch == b.epoch && k.queue == queue && k.sequence < below {
			delete(b.parked, k)
			n++
		}
	}
	return n
}

// load counts the unsettled messages and those to be fetched.
type load struct {
	count, parked int
	bytes         int64
	atBound       bool // nothing more may be taken, be the store full or not
	relaxed       bool // below 3/4 of both bounds
}

func (b *book) load() load {
	b.mu.Lock()
	defer b.mu.Unlock()
	return load{
		count: len(b.holds), parked: len(b.parked), bytes: b.bytes,
		atBound: b.pressed || len(b.holds) >= b.max,
		relaxed: !b.pressed && len(b.holds) <= b.max*3/4,
	}
}

// age lets settled messages be forgotten in time. It is not called while there is
// no connection, because what a server lost is redelivered when it is back.
func (b *book) age(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.past.rotate(now)
}
