// Package throttle adapts the calls of a function to the results of its calls.
//
//	Limiter  the concurrency limit (this file)
//	Breaker  whether the function is reachable (breaker.go)
//	Rate     the rate limit: calls per second (rate.go)
//
// The package is pure: it does no I/O, holds no locks, starts no timers and reads
// no clock. Times are arguments, so the same results at the same times lead to the same
// limits. Lanes decide who is called next.
package throttle

import (
	"math"
	"time"
)

// start is the limit that a limiter begins with, when its ceiling allows it: enough
// that a short burst waits for nothing, and little enough to do no harm.
const start = 10

// factor is what is left of the limit after a push back that was not expected.
const factor = 0.8

// A level that has failed is tried again after a pause. The pause doubles each
// time that the same level fails, so a function that takes five at a time is
// asked for a sixth call only now and then; and it stays short enough that a
// function which has grown is followed within seconds. Where calls take long, a
// number of successes has to come in between too, since every try may cost a call.
const (
	leastPatience  = 250 * time.Millisecond
	mostPatience   = 4 * time.Second
	leastSuccesses = 8
)

// Limiter is the number of calls that one function may have in flight. It begins with
// min(ceiling, 10) and moves with the outcomes of the calls:
//
//	slow start:  every success raises it by one, which doubles it per round
//	later:       every round of successes raises it by one
//	push back:   0.8 of it is left; outcomes of calls that began before do not count
//	known limit: a level that was pushed back is tried again after a pause; when that
//	             fails only the try is taken back, and when it works slow start begins again
//
// Only successes of calls that began while the limit was used up raise it: a
// function that is asked for little has shown nothing. How long calls take is
// never looked at. The zero value is not usable, make it with NewLimiter.
type Limiter struct {
	limit, ceiling int
	slow           bool      // slow start
	credit         int       // successes of the round
	calm           int       // successes since the latest push back
	since          time.Time // of the limit: outcomes of calls that began before say nothing of it
	wall           int       // the lowest level that is known to fail, MaxInt for none
	patience       time.Duration
	probe          time.Time // when the wall may be tried again
}

// NewLimiter makes a limiter that never passes ceiling, which counts as 1 when it is less.
func NewLimiter(ceiling int) *Limiter {
	l := &Limiter{slow: true, wall: math.MaxInt, ceiling: max(ceiling, 1)}
	l.limit = min(l.ceiling, start)
	return l
}

// Limit is how many calls may be in flight, at least 1.
func (l *Limiter) Limit() int { return l.limit }

// SetCeiling changes the ceiling. What was found out is kept as far as it fits.
func (l *Limiter) SetCeiling(ceiling int) {
	ceiling = max(ceiling, 1)
	if ceiling > l.ceiling && l.limit == l.ceiling {
		l.slow = l.wall > ceiling // it may never have been tried
	}
	l.ceiling = ceiling
	l.limit = min(l.limit, ceiling)
}

// Took notes that the function has accepted a call that began at begun, whatever it
// answered. full: with that call the limit was used up.
func (l *Limiter) Took(begun, now time.Time, full bool) {
	if !full || begun.Before(l.since) {
		return
	}
	l.credit++
	l.calm++
	if l.slow {
		l.raise(now)
		return
	}
	if l.credit < l.limit {
		return
	}
	l.credit = 0
	if l.limit >= l.wall { // a whole round beyond the wall: it is no longer there
		l.wall, l.patience, l.slow = math.MaxInt, 0, true
	}
	if l.limit+1 < l.wall || l.calm >= leastSuccesses && !now.Before(l.probe) {
		l.raise(now)
	}
}

// raise lifts the limit by one. In slow start the calls in flight keep counting;
// later a new round begins, with calls that begin from now on.
func (l *Limiter) raise(now time.Time) {
	if l.limit >= l.ceiling {
		return
	}
	l.limit++
	if !l.slow {
		l.since = now
	}
	if l.limit >= l.wall {
		l.slow = false
	}
}

// Pushed notes that a call that began at begun was too much, or had no receiver: 429,
// 503, refused, timed out. It reports whether the limit has become less.
func (l *Limiter) Pushed(begun, now time.Time) bool {
	if begun.Before(l.since) {
		return false
	}
	failed := l.limit
	if failed == l.wall {
		l.limit--
		l.patience = min(2*l.patience, mostPatience)
	} else {
		l.limit = min(int(float64(failed)*factor), failed-1)
		l.patience = leastPatience
	}
	l.limit = max(l.limit, 1)
	l.wall, l.probe = max(failed, 2), now.Add(l.patience)
	l.slow, l.credit, l.calm, l.since = false, 0, 0, now
	return l.limit < failed
}
