package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestTheSearchEndsWithinItsBandAroundTheCapacity(t *testing.T) {
	for _, capacity := range []float64{3500, 5000, 9900} {
		s := &search{low: lowest * 10_000, high: highest * 10_000}
		for s.high/s.low > wholeBand {
			rate := s.next()
			s.note(rate, rate <= capacity, unknown())
		}
		switch {
		case !s.lowSeen:
			t.Errorf("capacity %.0f: found %s: s.lowSeen = false, want true", capacity, s)
		case s.low > capacity:
			t.Errorf("capacity %.0f: found %s, want low at most %v", capacity, s, capacity)
		case s.low < capacity/wholeBand:
			t.Errorf("capacity %.0f: found %s, want low at least %v", capacity, s, capacity/wholeBand)
		}
	}
}

func TestARepeatedStepThatGoesTheOtherWayMovesTheBound(t *testing.T) {
	s := &search{low: 950, high: 1000, lowSeen: true, highSeen: true}
	s.note(950, false, unknown())
	switch {
	case s.low >= 950:
		t.Errorf("a step that failed when it was repeated still counts: %s, want low less than 950", s)
	case s.lowSeen:
		t.Errorf("a step that failed when it was repeated still counts: %s: s.lowSeen = true, want false", s)
	}
	s = &search{low: 950, high: 1000, lowSeen: true, highSeen: true}
	s.note(1000, true, unknown())
	switch {
	case s.low != 1000:
		t.Errorf("a step that succeeded when it was repeated does not count: %s, want low 1000", s)
	case s.highSeen:
		t.Errorf("a step that succeeded when it was repeated does not count: %s: s.highSeen = true, want false", s)
	}
}

func TestAQueueThatGrowsIsNotSteady(t *testing.T) {
	sent := make([]int64, 20_000)
	for name, c := range map[string]struct {
		grow   float64 // of the rate
		sent   []int64
		steady bool
	}{
		"constant":            {0, sent, true},
		"grows by 5 %":        {0.05, sent, false},
		"too little was sent": {0, sent[:15_000], false},
	} {
		s := stream{rate: 1000, sent: c.sent}
		for i := range 100 {
			s.queued = append(s.queued, 10+c.grow*s.rate*float64(i)/5)
		}
		if got := s.steady(20*time.Second, 64); got != c.steady {
			t.Errorf("%s: steady is %t, want %v", name, got, c.steady)
		}
	}
}

func TestAFigureThatWasNotMeasuredIsNoNumber(t *testing.T) {
	all := newTable()
	all.set("backlog", math.NaN(), "%.2f", true)
	all.set("embedded", 0.97, "%.2f", true)
	for _, f := range all {
		c := f.cells()
		if len(c) != len(columns) {
			t.Errorf("%s has %d cells, want %d", f.key, len(c), len(columns))
		}
		if f.key == "embedded" {
			switch {
			case c[1] != "0.97":
				t.Errorf("measured: %q: c[1] = %q, want \"0.97\"", c, c[1])
			case c[3] != "yes":
				t.Errorf("measured: %q: c[3] = %q, want \"yes\"", c, c[3])
			}
		} else if c[1] != notMeasured || c[3] != "-" {
			t.Errorf("not measured: %q", c)
		}
	}
	if strings.Contains(all.markdown(), "NaN") {
		t.Error(`the page has a NaN, want no "NaN" in it`)
	}
}

func TestEveryFigureHasARow(t *testing.T) {
	if all := newTable(); len(all.of(rows())) != len(all) {
		t.Errorf("a figure is measured by no row, want %d", len(all))
	}
}
