// Package pace adapts the calls of a function to the results of its calls.
//
//	Pace     the concurrency limit (this file)
//	Breaker  whether the function is reachable (breaker.go)
//	Rate     the rate limit: calls per second (rate.go)
//
// The package is pure: it does no I/O, holds no locks, starts no timers and reads
// no clock. Times are arguments, so the same results at the same times lead to the same
// limits. Lanes decide who is called next.
package pace

import (
	"math"
	"time"
)

// start is the limit that a pace begins with, when its ceiling allows it: enough
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

// Pace is the number of calls that one function may have in flight. It begins with
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
// never looked at. The zero value is not usable, make it with New.
type Pace struct {
	limit, ceiling int
	slow           bool      // slow start
	credit         int       // successes of the round
	calm           int       // successes since the latest push back
	since          time.Time // of the limit: outcomes of calls that began before say nothing of it
	wall           int       // the lowest level that is known to fail, MaxInt for none
	patience       time.Duration
	probe          time.Time // when the wall may be tried again
}

// New makes a pace that never passes ceiling, which counts as 1 when it is less.
func New(ceiling int) *Pace {
	p := &Pace{slow: true, wall: math.MaxInt, ceiling: max(ceiling, 1)}
	p.limit = min(p.ceiling, start)
	return p
}

// Limit is how many calls may be in flight, at least 1.
func (p *Pace) Limit() int { return p.limit }

// SetCeiling changes the ceiling. What was found out is kept as far as it fits.
func (p *Pace) SetCeiling(ceiling int) {
	ceiling = max(ceiling, 1)
	if ceiling > p.ceiling && p.limit == p.ceiling {
		p.slow = p.wall > ceiling // it may never have been tried
	}
	p.ceiling = ceiling
	p.limit = min(p.limit, ceiling)
}

// Took notes that the function has accepted a call that began at begun, whatever it
// answered. full: with that call the limit was used up.
func (p *Pace) Took(begun, now time.Time, full bool) {
	if !full || begun.Before(p.since) {
		return
	}
	p.credit++
	p.calm++
	if p.slow {
		p.raise(now)
		return
	}
	if p.credit < p.limit {
		return
	}
	p.credit = 0
	if p.limit >= p.wall { // a whole round beyond the wall: it is no longer there
		p.wall, p.patience, p.slow = math.MaxInt, 0, true
	}
	if p.limit+1 < p.wall || p.calm >= leastSuccesses && !now.Before(p.probe) {
		p.raise(now)
	}
}

// raise lifts the limit by one. In slow start the calls in flight keep counting;
// later a new round begins, with calls that begin from now on.
func (p *Pace) raise(now time.Time) {
	if p.limit >= p.ceiling {
		return
	}
	p.limit++
	if !p.slow {
		p.since = now
	}
	if p.limit >= p.wall {
		p.slow = false
	}
}

// Pushed notes that a call that began at begun was too much, or had no receiver: 429,
// 503, refused, timed out. It reports whether the limit has become less.
func (p *Pace) Pushed(begun, now time.Time) bool {
	if begun.Before(p.since) {
		return false
	}
	failed := p.limit
	if failed == p.wall {
		p.limit--
		p.patience = min(2*p.patience, mostPatience)
	} else {
		p.limit = min(int(float64(failed)*factor), failed-1)
		p.patience = leastPatience
	}
	p.limit = max(p.limit, 1)
	p.wall, p.probe = max(failed, 2), now.Add(p.patience)
	p.slow, p.credit, p.calm, p.since = false, 0, 0, now
	return p.limit < failed
}
