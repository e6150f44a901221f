package worker

import (
	"fmt"
	"math"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
)

func TestActivityIsOfTheLastMinute(t *testing.T) {
	t.Parallel()
	s := newActivities()
	lane := invocation.Lane{Queue: queue, Name: "fn"}
	at := time.Unix(1_795_000_000, 0)
	rate := func() float64 { return math.Round(s.all(at)[lane].Rate * rateSeconds) }
	for n := range 180 { // two a second, then one, for three minutes
		s.record(lane, false, LastError{At: at})
		if n < 90 {
			s.record(lane, false, LastError{At: at})
		}
		at = at.Add(time.Second)
	}
	at = at.Add(-time.Second)
	if got := rate(); got != 60 {
		t.Errorf("%v calls a minute, want 60", got)
	}
	s.record(lane, true, LastError{At: at.Add(-time.Hour), Status: 503, Cause: invocation.CauseReset}) // the clock was set back
	if got := rate(); got != 61 {
		t.Errorf("%v calls a minute with one more, want 61", got)
	}
	at = at.Add(30 * time.Second)
	if got := rate(); got != 31 {
		t.Errorf("%v calls a minute after half a minute of nothing, want 31", got)
	}
	at = at.Add(24 * time.Hour)
	a := s.all(at)[lane]
	switch {
	case a.Rate != 0:
		t.Errorf("after a day: %+v, want Rate 0", a)
	case a.LastError == nil:
		t.Errorf("after a day: %+v, want LastError not nil", a)
	case a.LastError.Status != 503:
		t.Errorf("after a day: %+v: a.LastError.Status = %d, want 503", a, a.LastError.Status)
	case a.LastError.Cause != invocation.CauseReset:
		t.Errorf("after a day: %+v: a.LastError.Cause = %q, want %q", a, a.LastError.Cause, invocation.CauseReset)
	}
}

func TestActivityRemembersTheLatestLanesOnly(t *testing.T) {
	t.Parallel()
	s := newActivities()
	at := time.Unix(1_795_000_000, 0)
	lane := func(n int) invocation.Lane { return invocation.Lane{Queue: queue, Name: fmt.Sprint("fn-", n)} }
	for n := range 5 * maxActivities {
		s.record(lane(0), false, LastError{At: at})
		s.record(lane(n), false, LastError{At: at})
	}
	all := s.all(at)
	_, first := all[lane(0)]
	_, last := all[lane(5*maxActivities-1)]
	switch {
	case len(all) != maxActivities:
		t.Errorf("%d lanes, want %d", len(all), maxActivities)
	case !first:
		t.Errorf("%d lanes, the busiest: %v, the latest: %v: first = false, want true", len(all), first, last)
	case !last:
		t.Errorf("%d lanes, the busiest: %v, the latest: %v: last = false, want true", len(all), first, last)
	}
}

func TestActivityMakesNoGarbage(t *testing.T) { // not parallel: AllocsPerRun counts the whole process
	s := newActivities()
	lane := invocation.Lane{Queue: queue, Name: "fn"}
	at := time.Unix(1_795_000_000, 0)
	if n := testing.AllocsPerRun(1000, func() {
		at = at.Add(time.Second / 3)
		s.record(lane, true, LastError{At: at, Status: 500})
	}); n != 0 {
		t.Errorf("a call allocates %v times, want 0", n)
	}
}
