package retry

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSchedule(t *testing.T) {
	t.Parallel()
	with := func(change func(*Policy)) Policy {
		p := defaults()
		change(&p)
		return p
	}
	const year = 365 * 24 * time.Hour
	for _, tt := range []struct {
		name   string
		policy Policy
		waits  []time.Duration
		total  time.Duration
	}{
		{"the defaults give up after 14m30s", defaults(), []time.Duration{10e9, 20e9, 40e9}, 14*time.Minute + 30*time.Second},
		{"no retry, no wait", with(func(p *Policy) { p.Attempts = 0 }), nil, 0},
		{"a constant wait", with(func(p *Policy) { p.Mode = Constant }), []time.Duration{10e9, 10e9, 10e9}, 100 * time.Second},
		{"the waits of a mode with chance are the longest", with(func(p *Policy) { p.Mode, p.Attempts = Full, 2 }), []time.Duration{10e9, 20e9}, 30 * time.Second},
		{"retries that come at once", with(func(p *Policy) { p.Initial, p.Attempts = 0, math.MaxInt }), []time.Duration{0, 0, 0}, 0},
		{"a billion retries of a year", with(func(p *Policy) { p.Initial, p.Max, p.Attempts = year, year, 1e9 }), []time.Duration{year, year, year}, math.MaxInt64},
		{"doubling to the end of time", with(func(p *Policy) { p.Initial, p.Max, p.Attempts = 1, math.MaxInt64, 70 }), []time.Duration{1, 2, 4}, math.MaxInt64},
		{"no end", with(func(p *Policy) { p.Attempts = Unlimited }), []time.Duration{10e9, 20e9, 40e9}, math.MaxInt64},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := tt.policy.Schedule(3)
			if !slices.Equal(s.Waits, tt.waits) || s.Total != tt.total || s.Unlimited != (tt.policy.Attempts == Unlimited) {
				t.Errorf("the schedule is %+v, want %v and %v", s, tt.waits, tt.total)
			}
		})
	}
}

// TestPropertySchedule adds up by hand.
func TestPropertySchedule(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := anyPolicy(t)
		p.Attempts = rapid.IntRange(0, 200).Draw(t, "attempts")
		s := p.Schedule(p.Attempts)
		if len(s.Waits) != p.Attempts {
			t.Fatalf("%d waits of %d retries, want %d waits", len(s.Waits), p.Attempts, p.Attempts)
		}
		var total time.Duration
		for n, wait := range s.Waits {
			if want := p.computed(n + 1); wait != want {
				t.Fatalf("retry %d waits %v, want %v", n+1, wait, want)
			}
			total = plus(total, wait)
		}
		if s.Total != total {
			t.Fatalf("the total is %v, want %v", s.Total, total)
		}
	})
}
