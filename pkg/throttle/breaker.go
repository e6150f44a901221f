package throttle

import (
	"slices"
	"time"

	"queue-worker/pkg/invocation"
)

// A breaker opens after openAfter calls in a row, of at least openOf invocations,
// that did not reach the function. One invocation that is broken by itself opens
// nothing, however often it is tried.
const (
	openAfter = 20
	openOf    = 5
)

// While it is open one call probes, with pauses that double.
const (
	leastPause = time.Second
	mostPause  = 30 * time.Second
)

// Breaker notices that a function cannot be reached. While it is open no call
// starts but a probe, so pending invocations use up no retries. A status that the function
// itself has chosen means that it was reached, whatever the status.
//
//	closed --20 in a row missed--> open --pause ended--> probing --reached--> closed
//	                                 ^                        |
//	                                 +-------- missed --------+  (a pause twice as long)
//
// The zero value is closed.
type Breaker struct {
	missed  int             // in a row
	of      []invocation.ID // at most openOf different ones of them
	open    bool
	probing bool
	since   time.Time
	reason  invocation.Cause
	pause   time.Duration
	next    time.Time // of the next probe
}

// Status is what a breaker shows.
type Status struct {
	Open  bool
	Since time.Time        // when it opened
	Cause invocation.Cause // of the latest call that did not reach the function; "" for an error of OpenFaaS itself
	Next  time.Time        // when the next probe may begin; zero while one is in flight
}

// Status is the state of a breaker. The zero Status is a closed breaker.
func (b *Breaker) Status() Status {
	if !b.open {
		return Status{}
	}
	s := Status{Open: true, Since: b.since, Cause: b.reason, Next: b.next}
	if b.probing {
		s.Next = time.Time{}
	}
	return s
}

// Admit reports whether a call may begin, and counts it as the probe when the
// breaker is open. An admitted caller has to report Reached, Missed or Ended.
func (b *Breaker) Admit(now time.Time) bool {
	if !b.Ready(now) {
		return false
	}
	b.probing = b.open
	return true
}

// Ready reports whether Admit would let a call begin.
func (b *Breaker) Ready(now time.Time) bool {
	return !b.open || !b.probing && !now.Before(b.next)
}

// Reached notes that a call has reached the function, and reports whether that
// has closed the breaker.
func (b *Breaker) Reached() (closed bool) {
	closed = b.open
	*b = Breaker{of: b.of[:0]}
	return closed
}

// Missed notes that a call did not reach the function, and why. It reports whether
// that has opened the breaker. Calls that began before it opened change nothing
// more.
func (b *Breaker) Missed(id invocation.ID, cause invocation.Cause, probe bool, now time.Time) (opened bool) {
	if b.open {
		if probe {
			b.probing, b.reason = false, cause
			b.pause = min(2*b.pause, mostPause)
			b.next = now.Add(b.pause)
		}
		return false
	}
	b.missed++
	if len(b.of) < openOf && !slices.Contains(b.of, id) {
		b.of = append(b.of, id)
	}
	if b.missed < openAfter || len(b.of) < openOf {
		return false
	}
	b.open, b.since, b.reason = true, now, cause
	b.pause, b.next = leastPause, now.Add(leastPause)
	return true
}

// Ended notes that the probe has shown nothing of the function:
// it was cancelled, or never sent. Another may begin at once.
func (b *Breaker) Ended() { b.probing = false }
