package postgres

import (
	"context"
	"testing"

	"queue-worker/internal/pgtest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

func TestCountsThatAreNotKnownAreAnError(t *testing.T) {
	t.Parallel()
	s := opened(t, pgtest.Database(t))
	lane := newInvocation(s, "fn").Lane
	s.counts.rest[lane.Queue] = &store.LaneStats{Ready: 1} // so that lanes are counted in the tables
	away, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := s.Lane(away, lane); err == nil {
		t.Errorf("counts of a lane: got %+v and no error, want an error", n)
	}
	if n, known, err := s.Tally(away, invocation.NewID(s.Now())); err == nil {
		t.Errorf("counts of a job: got %+v, %v and no error, want an error", n, known)
	}
	if n, err := s.Lane(t.Context(), lane); err != nil || n != (store.LaneStats{}) {
		t.Errorf("counts of an empty lane: got %+v, %v, want none", n, err)
	}
	if n, known, err := s.Tally(t.Context(), invocation.NewID(s.Now())); err != nil || known {
		t.Errorf("counts of an unknown job: got %+v, %v, %v, want none", n, known, err)
	}
}
