package main

import (
	"math"
	"testing"
)

// TestTheBisectionFindsARateBeyondItsBounds: the bounds at the start are guesses.
func TestTheBisectionFindsARateBeyondItsBounds(t *testing.T) {
	for _, rate := range []float64{150, 290, 700, 1040, 1500, 3000} {
		s := search{low: 300, high: 1050}
		for steps := 0; s.busy(wholeBand); steps++ {
			if steps == 100 {
				t.Fatalf("rate %v: no end after %d steps", rate, steps)
			}
			next := s.next()
			s.note(next, next <= rate, unknown())
		}
		if !s.lowSeen || !s.highSeen || s.low > rate || s.high < rate || s.high/s.low > wholeBand+1e-9 {
			t.Errorf("rate %v: found between %v (seen %t) and %v (seen %t), want within %v", rate, s.low, s.lowSeen, s.high, s.highSeen, wholeBand)
		}
	}
}

// TestTheBisectionEnds where no rate is steady, or every one.
func TestTheBisectionEnds(t *testing.T) {
	for _, steady := range []bool{false, true} {
		s := search{low: 300, high: 1050}
		steps := 0
		for ; s.busy(wholeBand) && steps < 1000; steps++ {
			s.note(s.next(), steady, unknown())
		}
		if steps == 1000 || math.IsNaN(s.low) || s.lowSeen != steady || s.highSeen == steady {
			t.Errorf("steady %t: %d steps, low seen %t, high seen %t", steady, steps, s.lowSeen, s.highSeen)
		}
	}
}
