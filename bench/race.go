// File race.go compares programs in alternating rounds and takes medians.

package main

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// mostForeign is the CPU of other processes per invocation, in microseconds, beyond which a run is
// disturbed.
const mostForeign = 30

// mostRepeats is how often a disturbed run is repeated before it counts as it is.
const mostRepeats = 2

// entrant is a program with a load, under the name that it has in the results.
type entrant struct {
	name    string
	program program
	load    load
}

// results are the runs of each entrant.
type results map[string][]result

// race lets all entrants run once in each round, each of them first in turn.
func (b *bench) race(ctx context.Context, row string, rounds int, all []entrant, run func(context.Context, entrant) (result, error)) (results, error) {
	got := results{}
	for round := range rounds {
		for i := range all {
			e := all[(round+i)%len(all)]
			r, err := b.calm(ctx, row, round, e, run)
			if err != nil {
				return got, fmt.Errorf("%s, round %d: %w", e.name, round+1, err)
			}
			got[e.name] = append(got[e.name], r)
		}
	}
	return got, nil
}

// calm runs an entrant, again when other processes disturbed it and there is time for that.
func (b *bench) calm(ctx context.Context, row string, round int, e entrant, run func(context.Context, entrant) (result, error)) (result, error) {
	for repeat := 0; ; repeat++ {
		begun := b.elapsed()
		r, err := run(ctx, e)
		if err != nil {
			return r, err
		}
		took := b.elapsed() - begun
		r.disturbed = r.others > mostForeign
		b.progress("%s, round %d, %s: %s", row, round+1, e.name, r)
		if !r.disturbed || repeat == mostRepeats || b.spare < took {
			return r, nil
		}
		b.spare -= took
	}
}

// String is a line of progress.
func (r result) String() string {
	text := fmt.Sprintf("%.0f/s, CPU %.1f us", r.perSecond, r.cpu)
	for _, part := range []struct {
		format string
		value  float64
	}{{", %.1f allocations", r.mallocs}, {", %.2f writes", r.writes}, {", %.0f bytes to disk", r.written}, {", %.0f MB", r.peak / 1e6}, {", others %.1f us", r.others}} {
		if !math.IsNaN(part.value) {
			text += fmt.Sprintf(part.format, part.value)
		}
	}
	if r.tally.Repeated+r.tally.Strays > 0 {
		text += fmt.Sprintf(", %d repeated, %d of other runs", r.tally.Repeated, r.tally.Strays)
	}
	if r.disturbed {
		text += ", disturbed"
	}
	return text
}

// rate is the median of an entrant, NaN when it did not run.
func (rs results) rate(name string) float64 {
	return median(rs[name], func(r result) float64 { return r.perSecond })
}

// costs are the medians of an entrant, each for itself.
func (rs results) costs(name string) costs {
	m := func(of func(result) float64) float64 { return median(rs[name], of) }
	return costs{
		cpu: m(func(r result) float64 { return r.cpu }), others: m(func(r result) float64 { return r.others }),
		mallocs: m(func(r result) float64 { return r.mallocs }), allocated: m(func(r result) float64 { return r.allocated }),
		writes: m(func(r result) float64 { return r.writes }), written: m(func(r result) float64 { return r.written }),
		peak: m(func(r result) float64 { return r.peak }),
	}
}

// note says what a reader of the entrants' figures has to know.
func (rs results) note(names ...string) string {
	disturbed, runs, repeated := 0, 0, 0
	for _, name := range names {
		for _, r := range rs[name] {
			runs++
			repeated += r.tally.Repeated
			if r.disturbed {
				disturbed++
			}
		}
	}
	var note []string
	if disturbed > 0 {
		note = append(note, fmt.Sprintf("%d of %d runs disturbed", disturbed, runs))
	}
	if repeated > 0 {
		note = append(note, fmt.Sprintf("%d calls repeated", repeated))
	}
	return sentence(note)
}

// median is that of the values that are known.
func median[T any](all []T, of func(T) float64) float64 {
	v := make([]float64, 0, len(all))
	for _, one := range all {
		if x := of(one); !math.IsNaN(x) {
			v = append(v, x)
		}
	}
	if len(v) == 0 {
		return math.NaN()
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// quantile is the least value that a share q of all sorted ones does not exceed, NaN of none.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}
