// The times of all retries, computed ahead.

package retry

import (
	"math"
	"time"
)

// Schedule is what a policy means in time, when every attempt fails. The waits
// are those before they are spread: modes Full and Equal wait at most so long. The
// time that calls take and what a Retry-After asks for come on top.
type Schedule struct {
	Waits     []time.Duration // of the first retries
	Shortest  []time.Duration // what modes Full and Equal may make of Waits; nil with other modes
	Total     time.Duration   // of all retries; saturated, and MaxInt64 when they have no end
	Unlimited bool            // there is no last retry
}

// Schedule lists the waits of the first most retries, and adds up those of all.
// It costs no more for a billion retries than for a hundred.
func (p Policy) Schedule(most int) Schedule {
	s := Schedule{Unlimited: p.Attempts == Unlimited}
	retries := max(p.Attempts, 0)
	if s.Unlimited {
		retries = math.MaxInt
	}
	for n := 1; n <= min(retries, most); n++ {
		wait := p.computed(n)
		s.Waits = append(s.Waits, wait)
		if p.Mode == Full || p.Mode == Equal {
			s.Shortest = append(s.Shortest, p.spread(wait, least))
		}
	}
	if s.Unlimited {
		s.Total = math.MaxInt64
		return s
	}
	longest := p.longest()
	for n := 1; n <= retries; n++ {
		wait := p.computed(n)
		if wait == longest { // and so are all that follow
			s.Total = plus(s.Total, times(wait, retries-n+1))
			break
		}
		s.Total = plus(s.Total, wait)
	}
	return s
}

// least is the random number of the shortest wait.
func least() float64 { return 0 }

// longest is the wait that computed comes to in the end; it is there after 63
// doublings.
func (p Policy) longest() time.Duration { return p.computed(64) }

// plus adds two durations that are not negative; the sum is the longest one when
// it would be longer.
func plus(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// times is d n times, with the same bound; n is at least 1.
func times(d time.Duration, n int) time.Duration {
	if d > math.MaxInt64/time.Duration(n) {
		return math.MaxInt64
	}
	return d * time.Duration(n)
}
