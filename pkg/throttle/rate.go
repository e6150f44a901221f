package throttle

import (
	"math"
	"time"
)

// Rate spreads the beginnings of calls: at most so many in a second, one after the
// other and not in bursts, because a function that asks for a rate protects
// something behind it. The zero value is no limit.
type Rate struct {
	every time.Duration
	next  time.Time
}

// Set changes the rate, in calls per second; 0 or less, and what is no number, for
// no limit. A call that was allowed for later stays allowed then at the latest.
func (r *Rate) Set(perSecond float64) {
	if !(perSecond > 0) || math.IsInf(perSecond, 1) {
		r.every, r.next = 0, time.Time{}
		return
	}
	before := r.every
	r.every = time.Duration(min(float64(time.Second)/perSecond, float64(math.MaxInt64/2)))
	if r.every < before && !r.next.IsZero() {
		r.next = r.next.Add(r.every - before)
	}
}

// Next is when the next call may begin; the zero time for at once.
func (r *Rate) Next() time.Time { return r.next }

// Begin counts a call that begins at now. Time that was not used is lost, but for
// what one wake-up may be late.
func (r *Rate) Begin(now time.Time) {
	if r.every == 0 {
		return
	}
	from := now.Add(-min(r.every, lateness))
	if r.next.After(from) {
		from = r.next
	}
	r.next = from.Add(r.every)
}

// lateness is by how much a call that came late may be made up for.
const lateness = 20 * time.Millisecond
