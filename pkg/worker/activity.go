// File activity.go has the load and the latest error of each lane, for listings.

package worker

import (
	"container/list"
	"sync"
	"time"

	"queue-worker/pkg/invocation"
)

const (
	// maxActivities is how many lanes are remembered, those of the latest calls.
	maxActivities = 1000
	// rateSeconds is the time that a rate is of.
	rateSeconds = 60
)

// Activity is what happened in a lane lately.
type Activity struct {
	// Rate is calls per second over the last minute.
	Rate float64
	// LastError is the latest call that failed, nil when there was none.
	LastError *LastError
	// GivenUp15m and GivenUp1h count what was given up, dead or dropped, in the last 15
	// minutes and in the last hour.
	GivenUp15m, GivenUp1h int
	// Discarded15m counts those of the last 15 minutes that were dropped.
	Discarded15m int
}

// LastError is a call that failed.
type LastError struct {
	At     time.Time
	Status int
	Cause  invocation.Cause // "" when there was an answer
}

// Activity returns the lanes of the latest calls, up to 1000 of them.
func (w *Worker) Activity() map[invocation.Lane]Activity { return w.activities.all(time.Now()) }

// activities remember bounded numbers per lane. A call costs no allocation but for
// the first one of a lane.
type activities struct {
	mu     sync.Mutex
	lanes  map[invocation.Lane]*list.Element // of *activity
	latest *list.List                        // the lane of the latest call first
	total  activity                          // all lanes, also those that made room
}

func newActivities() *activities {
	return &activities{lanes: map[invocation.Lane]*list.Element{}, latest: list.New()}
}

// activity is of one lane: calls by second in a ring, of which the slot of the
// second last counted is written.
type activity struct {
	lane   invocation.Lane
	calls  [rateSeconds]uint32
	second int64 // Unix time
	failed bool
	last   LastError
	hour   history
}

// record counts a call that has ended.
func (s *activities) record(lane invocation.Lane, failed bool, e LastError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.find(lane)
	for _, a := range []*activity{a, &s.total} {
		a.turn(e.At.Unix())
		a.calls[a.second%rateSeconds]++
	}
	if failed {
		a.failed, a.last = true, e
	}
}

// count adds the outcome of an attempt, whether a call was made or not.
func (s *activities) count(lane invocation.Lane, outcome invocation.Outcome, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.find(lane).hour.count(outcome, at)
	s.total.hour.count(outcome, at)
}

func (s *activities) history(lane invocation.Lane, now time.Time) []Minute {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.lanes[lane]; ok {
		return e.Value.(*activity).hour.last(now)
	}
	return nil
}

func (s *activities) sum(now time.Time) ([]Minute, float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total.turn(now.Unix())
	return s.total.hour.last(now), s.total.seen(now).Rate
}

// find gives the activity of a lane, the latest from now on. The one that has
// been quiet for longest makes room for a new one.
func (s *activities) find(lane invocation.Lane) *activity {
	if e, ok := s.lanes[lane]; ok {
		s.latest.MoveToFront(e)
		return e.Value.(*activity)
	}
	if len(s.lanes) >= maxActivities {
		oldest := s.latest.Back()
		delete(s.lanes, s.latest.Remove(oldest).(*activity).lane)
	}
	a := &activity{lane: lane}
	s.lanes[lane] = s.latest.PushFront(a)
	return a
}

// turn moves the ring on to a second, and empties what is older than a minute. A
// clock that was set back counts on in the second it was at.
func (a *activity) turn(now int64) {
	if now-a.second >= rateSeconds {
		clear(a.calls[:])
		a.second = now
	}
	for a.second < now {
		a.second++
		a.calls[a.second%rateSeconds] = 0
	}
}

func (s *activities) all(now time.Time) map[invocation.Lane]Activity {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := make(map[invocation.Lane]Activity, len(s.lanes))
	for lane, e := range s.lanes {
		a := e.Value.(*activity)
		a.turn(now.Unix())
		m[lane] = a.seen(now)
	}
	return m
}

func (a *activity) seen(now time.Time) (v Activity) {
	calls := 0.0
	for _, n := range a.calls {
		calls += float64(n)
	}
	v.Rate = calls / rateSeconds
	v.GivenUp15m, v.Discarded15m = a.hour.givenUp(now, 15)
	v.GivenUp1h, _ = a.hour.givenUp(now, HistoryMinutes)
	if a.failed {
		last := a.last
		v.LastError = &last
	}
	return v
}
