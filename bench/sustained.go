// File sustained.go finds the highest arrival rate at which the queue does not grow.

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Of the bisection.
const (
	wholeStep = 20 * time.Second
	quickStep = 4 * time.Second
	wholeBand = 1.05 // the ratio of both bounds at which it ends
	quickBand = 1.25
	// The bounds at the start, of the rate of a backlog. A bound that every step went towards is
	// moved by widening, at most mostWidenings times.
	lowest, highest = 0.3, 1.05
	widening        = 1.25
	mostWidenings   = 6
)

// search is the bisection of one program.
type search struct {
	program   program
	low, high float64 // steady at low, if lowSeen; not steady at high, if highSeen
	lowSeen   bool
	highSeen  bool
	costs     costs // of the latest step that was steady
	disturbed int   // steps
	widened   int
}

// next is the rate of the next step.
func (s *search) next() float64 { return math.Sqrt(s.low * s.high) }

// busy reports whether a further step is needed. A bound that was come close to and never tried is
// only a guess: it is moved on.
func (s *search) busy(band float64) bool {
	if s.high/s.low > band {
		return true
	}
	if s.lowSeen && s.highSeen || s.widened == mostWidenings {
		return false
	}
	s.widened++
	if !s.highSeen {
		s.high *= widening
	} else {
		s.low /= widening
	}
	return true
}

// note takes the outcome of a step.
func (s *search) note(rate float64, steady bool, c costs) {
	if c.others > mostForeign {
		s.disturbed++
	}
	if !steady {
		s.high, s.highSeen = rate, true
		if rate <= s.low { // the repetition of a step that was steady before
			s.low, s.lowSeen = rate/wholeBand, false
		}
		return
	}
	s.low, s.lowSeen, s.costs = rate, true, c
	if rate >= s.high { // the repetition of a step that was not steady before
		s.high, s.highSeen = rate*wholeBand, false
	}
}

// String is the rate for a reader.
func (s *search) String() string {
	prefix := ""
	switch {
	case !s.lowSeen:
		prefix = "below "
	case !s.highSeen:
		prefix = "at least "
	}
	return fmt.Sprintf("%s %s%.0f/s", s.program.name, prefix, s.low)
}

// measureSustained bisects for all programs in turn, and repeats the last two steps of each.
func (b *bench) measureSustained(ctx context.Context) error {
	searches, err := b.searches(ctx)
	if err != nil {
		return err
	}
	defer func() { b.setSustained(searches) }()
	band := pick(b, wholeBand, quickBand)
	for step, busy := 1, true; busy; step++ {
		busy = false
		for _, s := range searches {
			if !s.busy(band) {
				continue
			}
			busy = true
			if err := b.step(ctx, s, s.next(), fmt.Sprint("step ", step)); err != nil {
				return err
			}
		}
	}
	if b.quick {
		return nil
	}
	for _, s := range searches {
		low, high := s.low, s.high
		if err := errors.Join(b.step(ctx, s, low, "repeated"), b.step(ctx, s, high, "repeated")); err != nil {
			return err
		}
	}
	return nil
}

// searches are those of all programs, with bounds from their rates in a backlog.
func (b *bench) searches(ctx context.Context) (all []*search, err error) {
	n, community := b.backlogSizes()
	for _, e := range []entrant{
		{nameOurs, b.ours, b.usual(n)}, {nameBare, b.bare, b.usual(n)},
		{nameBareOurs, b.bareOurs, b.usual(n)}, {nameCommunity, b.community, b.usual(community)},
	} {
		rate := b.rates.rate(e.name)
		if math.IsNaN(rate) {
			r, err := b.runBacklog(ctx, e)
			if err != nil {
				return nil, err
			}
			rate = r.perSecond
		}
		all = append(all, &search{program: e.program, low: lowest * rate, high: highest * rate, costs: unknown()})
	}
	return all, nil
}

// step offers a rate and notes what came of it.
func (b *bench) step(ctx context.Context, s *search, rate float64, name string) error {
	d := pick(b, wholeStep, quickStep)
	r, err := b.stream(ctx, s.program, b.usual(0), rate, d)
	if err != nil {
		return fmt.Errorf("%s at %.0f/s: %w", s.program.name, rate, err)
	}
	steady := r.steady(d, b.inflight)
	s.note(rate, steady, r.costs)
	b.progress("sustained, %s, %s: %.0f/s, steady: %t, CPU %.1f us, others %.1f us", name, s.program.name, rate, steady, r.costs.cpu, r.costs.others)
	return nil
}

func (b *bench) setSustained(searches []*search) {
	ours := searches[0]
	for i, key := range []string{"sustained.bare", "sustained.client", "sustained.community"} {
		other, goal := searches[i+1], []float64{1, 0.8, 12}[i]
		ratio := math.NaN()
		if ours.lowSeen && other.lowSeen {
			ratio = ours.low / other.low
		}
		f := b.table.set(key, ratio, "%.2f", ratio >= goal)
		f.beside, f.costs = sentence([]string{ours.String(), other.String()}), ours.costs
		if n := ours.disturbed + other.disturbed; n > 0 {
			f.note = fmt.Sprintf("%d steps disturbed", n)
		}
	}
}
