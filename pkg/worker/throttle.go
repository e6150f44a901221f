// File throttle.go has the throttle of a lane: limiter, breaker, rate limit and
// Retry-After. A throttle outlives its lane, which is gone whenever it is empty.

package worker

import (
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/throttle"
)

const (
	// throttleAge is how long a throttle is kept after the latest call.
	throttleAge = 10 * time.Minute
	// throttleSweep is how often those are looked for that are older.
	throttleSweep = time.Minute
	// mostThrottles bounds how many throttles of lanes that are gone are kept.
	mostThrottles = 10_000
)

// laneThrottle is what holds a lane back, other than a pause.
//
//	limiter   more calls at a time than the function takes
//	until     the function has said when to come again (Retry-After)
//	breaker   the function cannot be reached
//	rate      the function wants no more calls in a second
type laneThrottle struct {
	limiter  *throttle.Limiter // nil: only the ceiling holds
	ceiling  int
	breaker  throttle.Breaker
	rate     throttle.Rate
	priority int
	until    time.Time
	heard    invocation.ID // got the Retry-After, and is called first then
	timed    bool          // any of until, breaker and rate may hold it back
	used     time.Time
	asked    policy.Lane
	// introduced: what the function asks for is known, in asked.
	introduced bool
	unasked    bool // the gateway has to be asked about the function first
	unknown    bool // the gateway surely has no such function
	silent     bool // a host that has not answered its last call
	proven     bool // a call of it has succeeded
}

func (l *Lanes) newThrottle(key invocation.Lane) *laneThrottle {
	t := &laneThrottle{ceiling: l.ceiling(key), priority: commonPriority, used: time.Now(), introduced: !l.alone}
	t.unasked = l.ask != nil && asksGateway(key.Name)
	if !l.o.Greedy {
		t.limiter = throttle.NewLimiter(t.ceiling)
	}
	return t
}

// ceiling is how many calls of a lane may be in flight at most.
func (l *Lanes) ceiling(key invocation.Lane) int {
	if invocation.IsCallbackLane(key.Name) {
		return l.room.most[classURL]
	}
	return l.o.MaxInflight
}

// limit is how many calls may be in flight.
func (t *laneThrottle) limit() int {
	if t.limiter == nil {
		return t.ceiling
	}
	return t.limiter.Limit()
}

// opens reports whether time lets a call begin, and if not, when it will; the zero
// time when something else than time has to happen first.
func (t *laneThrottle) opens(now time.Time) (open bool, at time.Time) {
	if !t.timed {
		return true, time.Time{}
	}
	if now.Before(t.until) {
		return false, t.until
	}
	if !t.breaker.Ready(now) {
		return false, t.breaker.Status().Next
	}
	if next := t.rate.Next(); now.Before(next) {
		return false, next
	}
	return true, time.Time{}
}

// begin counts a call that begins, and reports whether it is the probe of an open
// breaker.
func (t *laneThrottle) begin(now time.Time) (probe bool) {
	t.used = now
	if !t.timed {
		return false
	}
	t.rate.Begin(now)
	probe = t.breaker.Status().Open
	t.breaker.Admit(now)
	return probe
}

// tune takes what the function asks for, as far as it may: never more calls at a
// time than the worker makes.
func (t *laneThrottle) tune(s policy.Lane, most int) {
	t.introduced, t.asked = true, s
	t.ceiling = most
	if s.MaxInflight > 0 {
		t.ceiling = min(s.MaxInflight, most)
	}
	if t.limiter != nil {
		t.limiter.SetCeiling(t.ceiling)
	}
	t.rate.Set(s.Rate)
	t.timed = t.timed || s.Rate > 0
	t.priority = commonPriority
	if s.Priority != 0 {
		t.priority = min(max(s.Priority, leastPriority), mostPriority)
	}
}

// Effect is what a call means for its lane.
type effect struct {
	began   time.Time
	pushed  bool             // too much for the function, or for what is before it
	missed  bool             // did not reach the function
	silent  bool             // says nothing: cancelled, or never sent
	cause   invocation.Cause // of missed
	resume  time.Time        // when the function wants to be called again, zero for any time
	success bool             // of the call
	breaker bool             // whether there is a breaker
}

// news is what an effect has changed that has to be logged.
type news struct{ opened, closed bool }

// learn takes an effect in.
func (t *laneThrottle) learn(h taken, e effect, now time.Time) (n news) {
	if e.silent {
		if h.probe {
			t.breaker.Ended()
		}
		return n
	}
	t.proven = t.proven || e.success
	if t.limiter != nil {
		switch {
		case e.pushed:
			t.limiter.Pushed(e.began, now)
		case !e.missed:
			t.limiter.Took(e.began, now, h.full)
		}
	}
	if e.resume.After(t.until) {
		t.until, t.heard = e.resume, h.ID
	}
	if e.breaker {
		if e.missed {
			n.opened = t.breaker.Missed(h.ID, e.cause, h.probe, now)
		} else {
			n.closed = t.breaker.Reached()
		}
		if h.probe && e.missed {
			t.heard = h.ID
		}
	}
	t.timed = !t.until.IsZero() || t.breaker.Status().Open || t.asked.Rate > 0
	return n
}

// Throttle is what holds a lane back, for listings.
type Throttle struct {
	Limit   int             // calls at a time
	Until   time.Time       // nothing begins before, by a Retry-After; zero for none
	Breaker throttle.Status // open when the function cannot be reached
}

// Throttle returns what holds a lane back.
func (l *Lanes) Throttle(key invocation.Lane) Throttle {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.throttles[key]
	if t == nil {
		t = l.newThrottle(key)
	}
	return t.shown()
}

// Throttles returns what holds back the lanes that were called lately.
func (l *Lanes) Throttles() map[invocation.Lane]Throttle {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := make(map[invocation.Lane]Throttle, len(l.throttles))
	for key, t := range l.throttles {
		m[key] = t.shown()
	}
	return m
}

func (t *laneThrottle) shown() Throttle {
	s := Throttle{Limit: t.limit(), Breaker: t.breaker.Status()}
	if t.until.After(time.Now()) {
		s.Until = t.until
	}
	return s
}

// askFirst lets the first call of an unknown lane run alone, until Tune has
// set what its function asks for.
func (l *Lanes) askFirst() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alone = true
}

// Tune sets what a function asks for, and whether the gateway surely has no such
// function. It costs little when that has not changed.
func (l *Lanes) Tune(key invocation.Lane, s policy.Lane, unknown bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.throttle(key)
	if t.introduced && t.asked == s && t.unknown == unknown {
		return
	}
	ln := l.lanes[key]
	if ln != nil {
		l.round(key.Queue).leave(ln)
	}
	found := !t.introduced && ln != nil && ln.running > 0
	t.tune(s, l.ceiling(key))
	t.unasked, t.unknown = false, unknown
	if found { // by a call that is the first to be counted
		t.rate.Begin(time.Now())
	}
	if ln != nil {
		l.classify(ln)
		l.enqueue(ln)
		l.spawn()
	}
}

// learn takes in what a call means for its lane.
func (l *Lanes) learn(h taken, e effect) news {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	e.breaker = !l.o.NoBreaker
	t := l.throttle(h.Lane)
	n := t.learn(h, e, now)
	ln := l.lanes[h.Lane]
	if ln != nil && ln.isURL && !e.silent {
		t.silent = e.cause != ""
		l.hosts.note(h.Lane, !t.silent)
		l.classify(ln)
	}
	if ln != nil {
		l.enqueue(ln) // the limit may have become more, or a time may have come to wait for
		l.spawn()
	}
	return n
}

// throttle finds the throttle of a lane or makes it.
func (l *Lanes) throttle(key invocation.Lane) *laneThrottle {
	t := l.throttles[key]
	if t == nil {
		t = l.newThrottle(key)
		l.throttles[key] = t
	}
	return t
}

// forgetThrottles drops the throttles that are of no use any more.
func (l *Lanes) forgetThrottles(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, t := range l.throttles {
		if _, alive := l.lanes[key]; !alive && now.Sub(t.used) > throttleAge && now.After(t.until) {
			delete(l.throttles, key)
		}
	}
}
