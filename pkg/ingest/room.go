// File room.go bounds the memory that bodies take together on their way in.

package ingest

import (
	"sync"
	"time"
)

const (
	// bodyBytes bounds the bodies that are in memory at once, on their way in, unless
	// bodyRoomFactor times the largest body is more: a producer's message is in memory four
	// times over, and has to fit into the part of large bodies without credentials.
	bodyBytes      = 64 << 20
	bodyRoomFactor = 8
	// smallBytes of memory hold a body of 64 KiB in any form. What needs more is large.
	smallBytes = 288 << 10
	// roomTimeout is how long an upload waits for memory in all.
	roomTimeout = 30 * time.Second
	// roomCheck is how often an upload that waits looks for slow senders.
	roomCheck = 250 * time.Millisecond
)

// bodyRoom is the memory for bodies on their way in. A quarter is for small uploads, which
// take it as their bytes arrive. One that turns out large, by bytes that have arrived, gets
// all that it may need at once.
type bodyRoom struct {
	mu           sync.Mutex // guards everything below, the pools and the uploads in them
	small, large pool
}

// roomFor is the memory for bodies of at most so many bytes each.
func roomFor(maxBytes int64) int64 { return max(bodyBytes, bodyRoomFactor*maxBytes) }

func newBodyRoom(total int64) *bodyRoom {
	return &bodyRoom{small: newPool(total / 4), large: newPool(total - total/4)}
}

// take takes n bytes for an upload, or gives some back when n is negative.
func (b *bodyRoom) take(u *upload, n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	u.used += n
	more, isSmall := u.used-u.share.held, u.share.pool == &b.small
	switch {
	case isSmall && u.used > smallBytes:
		return b.enlarge(u)
	case isSmall && more < 0:
		u.share.pool.release(u.share, -more)
	case more > 0:
		return b.acquire(u.share, more)
	}
	return nil
}

// enlarge makes a small upload a large one. It keeps what it has of the small memory while it
// waits. Those that wait have at most half of that; the one that has waited longest makes room.
func (b *bodyRoom) enlarge(u *upload) error {
	small, large := u.share, &share{upload: u, pool: &b.large, claim: max(u.claim, u.used)}
	for b.waitingBytes()+small.held > b.small.limit/2 {
		longest := b.large.waiting[len(b.large.waiting)-1]
		if longest.guest != u.guest && !longest.guest {
			return problemCrowded
		}
		longest.answer <- problemCrowded
		b.large.dequeue(longest)
	}
	if err := b.acquire(large, large.claim); err != nil {
		return err
	}
	small.pool.release(small, small.held)
	u.share = large
	return nil
}

// waitingBytes are the bytes of small memory of those that wait for large memory.
func (b *bodyRoom) waitingBytes() (n int64) {
	for _, w := range b.large.waiting {
		n += w.upload.share.held
	}
	return n
}

// acquire takes n bytes of a pool, and waits for them if it has to. It gives b.mu free
// meanwhile.
func (b *bodyRoom) acquire(s *share, n int64) error {
	s.claim = max(s.claim, s.held+n)
	if len(s.pool.waiting) == 0 && s.pool.admits(s) {
		s.pool.hold(s, n)
		return nil
	}
	w := &waiter{share: s, n: n, answer: make(chan error, 1)}
	s.pool.enqueue(w)
	s.pool.serve()
	return b.wait(w)
}

// wait waits for the answer to w, but not for ever.
func (b *bodyRoom) wait(w *waiter) error {
	start := time.Now()
	defer func() { w.waited += time.Since(start) }()
	end := time.NewTimer(roomTimeout - w.waited)
	defer end.Stop()
	check := time.NewTicker(roomCheck)
	defer check.Stop()
	for {
		b.mu.Unlock()
		over := false
		select {
		case err := <-w.answer:
			b.mu.Lock()
			return err
		case <-check.C:
		case <-end.C:
			over = true
		}
		b.mu.Lock()
		switch {
		case len(w.answer) > 0: // it came meanwhile
		case over:
			w.pool.dequeue(w)
			return problemCrowded
		case w == w.pool.waiting[0]:
			w.pool.relieve()
		}
	}
}

// settle gives back what a body that has come does not need.
func (b *bodyRoom) settle(u *upload) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u.share.pool.release(u.share, u.share.held-u.used)
}

// release gives back everything that an upload has.
func (b *bodyRoom) release(u *upload) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u.share.pool.release(u.share, u.share.held)
}
