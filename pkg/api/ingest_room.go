// File ingest_room.go bounds the memory that bodies take together on their way in.

package api

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// bodyBytes bounds the bodies that are in memory at once, on their way in.
	bodyBytes = 64 << 20
	// smallBytes of memory hold a request of 64 KiB in any form. Whatever needs more is large.
	smallBytes = 512 << 10
	// largeWaiting bounds the large requests that wait for memory.
	largeWaiting = 16
	// roomTimeout is how long a request waits for memory.
	roomTimeout = 10 * time.Second
)

// bodyRoom is the memory for bodies on their way in. A quarter is kept for small requests,
// which take it as their bytes arrive. A request that turns out large, by bytes that have
// arrived, waits in line for all that it may need, so no two wait for each other.
type bodyRoom struct {
	small, large, waiting *semaphore.Weighted
	timeout               time.Duration
}

// newBodyRoom makes the room for requests that need at most bytes each.
func newBodyRoom(most int64) *bodyRoom {
	return &bodyRoom{
		small: semaphore.NewWeighted(bodyBytes / 4), large: semaphore.NewWeighted(max(bodyBytes*3/4, most+smallBytes)),
		waiting: semaphore.NewWeighted(largeWaiting), timeout: roomTimeout,
	}
}

// allowance is the memory of one request.
type allowance struct {
	room     *bodyRoom
	ctx      context.Context
	most     int64 // bytes that the request may need
	held     int64
	reserved int64 // of the large memory; 0 for a small request
}

// allow makes the allowance of a request, which holds nothing yet.
func (b *bodyRoom) allow(ctx context.Context, most int64) *allowance {
	return &allowance{room: b, ctx: ctx, most: most}
}

// take takes n bytes, or gives some back when n is negative.
func (a *allowance) take(n int64) error {
	if err := a.reserve(n); err != nil {
		return err
	}
	a.held += n
	return nil
}

// reserve makes sure that there is memory for n more bytes.
func (a *allowance) reserve(n int64) error {
	switch {
	case a.reserved > 0:
		return a.extend(a.held + n - a.reserved)
	case n < 0:
		a.room.small.Release(-n)
		return nil
	case a.held+n > smallBytes:
		return a.enlarge(a.held + n)
	}
	return a.wait(a.room.small, n)
}

// enlarge makes a small request a large one, with all the memory that it may need.
func (a *allowance) enlarge(need int64) error {
	if !a.room.waiting.TryAcquire(1) {
		return problemCrowded
	}
	defer a.room.waiting.Release(1)
	reserved := max(a.most+smallBytes, need)
	if err := a.wait(a.room.large, reserved); err != nil {
		return err
	}
	a.room.small.Release(a.held)
	a.reserved = reserved
	return nil
}

// extend adds to the reserved memory. It does not wait, because it holds much.
func (a *allowance) extend(by int64) error {
	if by <= 0 {
		return nil
	}
	if !a.room.large.TryAcquire(by) {
		return problemCrowded
	}
	a.reserved += by
	return nil
}

// wait waits in line for memory, but not for ever.
func (a *allowance) wait(room *semaphore.Weighted, n int64) error {
	if room.TryAcquire(n) { // not past those who wait
		return nil
	}
	ctx, cancel := context.WithTimeout(a.ctx, a.room.timeout)
	defer cancel()
	if room.Acquire(ctx, n) != nil {
		return problemCrowded
	}
	return nil
}

// release gives everything back.
func (a *allowance) release() {
	if a.reserved > 0 {
		a.room.large.Release(a.reserved)
	} else {
		a.room.small.Release(a.held)
	}
	a.held, a.reserved = 0, 0
}
