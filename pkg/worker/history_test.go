package worker

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
)

// hourOf counts given-up invocations by minute, from a fixed time on.
func hourOf(s *activities, lane invocation.Lane, at time.Time, minutes int) time.Time {
	for range minutes {
		s.count(lane, invocation.OutcomeDead, at)
		at = at.Add(time.Minute)
	}
	return at.Add(-time.Minute)
}

func TestHistoryIsOfTheLastHour(t *testing.T) {
	t.Parallel()
	s, lane := newActivities(), invocation.Lane{Queue: queue, Name: "fn"}
	at := hourOf(s, lane, time.Unix(1_795_000_000, 0), 90)
	s.count(lane, invocation.OutcomeDone, at)
	s.count(lane, invocation.OutcomeRetry, at)
	s.count(lane, invocation.OutcomeDropped, at)
	s.count(lane, invocation.OutcomeCancelled, at)
	got := s.history(lane, at)
	if len(got) != HistoryMinutes {
		t.Fatalf("got %d minutes, want %d", len(got), HistoryMinutes)
	}
	want := []Minute{{GivenUp: 1}, {GivenUp: 1}, {Done: 1, Retried: 1, GivenUp: 2, Discarded: 1}}
	if diff := cmp.Diff(want, got[HistoryMinutes-3:]); diff != "" {
		t.Errorf("the last minutes (-want +got):\n%s", diff)
	}
	a := s.all(at)[lane]
	if a.GivenUp15m != 16 {
		t.Errorf("got %d given up in 15 minutes, want 16", a.GivenUp15m)
	}
	if a.Discarded15m != 1 {
		t.Errorf("got %d discarded in 15 minutes, want 1", a.Discarded15m)
	}
	if a.GivenUp1h != 61 {
		t.Errorf("got %d given up in an hour, want 61", a.GivenUp1h)
	}
}

func TestHistoryEmptiesWhenNothingHappens(t *testing.T) {
	t.Parallel()
	s, lane := newActivities(), invocation.Lane{Queue: queue, Name: "fn"}
	at := hourOf(s, lane, time.Unix(1_795_000_000, 0), 60)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 60}, {10 * time.Minute, 50}, {59 * time.Minute, 1}, {time.Hour, 0}, {48 * time.Hour, 0}} {
		if got := s.all(at.Add(step.after))[lane].GivenUp1h; got != step.want {
			t.Errorf("after %s: got %d given up in an hour, want %d", step.after, got, step.want)
		}
	}
}

func TestHistorySurvivesAClockSetBack(t *testing.T) {
	t.Parallel()
	s, lane := newActivities(), invocation.Lane{Queue: queue, Name: "fn"}
	at := hourOf(s, lane, time.Unix(1_795_000_000, 0), 2)
	s.count(lane, invocation.OutcomeDead, at.Add(-24*time.Hour))
	if got := s.all(at)[lane].GivenUp1h; got != 3 {
		t.Errorf("got %d given up in an hour, want 3", got)
	}
}

func TestTheTotalHasLanesThatMadeRoom(t *testing.T) {
	t.Parallel()
	s, at := newActivities(), time.Unix(1_795_000_000, 0)
	for n := range maxActivities + 5 {
		lane := invocation.Lane{Queue: queue, Name: string(rune('a' + n))}
		s.record(lane, false, LastError{At: at})
		s.count(lane, invocation.OutcomeDone, at)
	}
	minutes, rate := s.sum(at)
	if got, want := minutes[HistoryMinutes-1].Done, uint32(maxActivities+5); got != want {
		t.Errorf("got %d done in this minute, want %d", got, want)
	}
	if got, want := rate, float64(maxActivities+5)/rateSeconds; got != want {
		t.Errorf("got %v calls a second, want %v", got, want)
	}
}

func TestHistoryMakesNoGarbage(t *testing.T) { // not parallel: AllocsPerRun counts the whole process
	s, lane, at := newActivities(), invocation.Lane{Queue: queue, Name: "fn"}, time.Unix(1_795_000_000, 0)
	if n := testing.AllocsPerRun(1000, func() {
		at = at.Add(time.Second)
		s.count(lane, invocation.OutcomeDone, at)
	}); n != 0 {
		t.Errorf("an outcome allocates %v times, want 0", n)
	}
}
