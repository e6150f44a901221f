// File compare.go has the rows that compare alternating backlogs of another kind.

package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// measureSingle compares one call at a time with the Community worker, which makes no more.
func (b *bench) measureSingle(ctx context.Context) error {
	l := b.usual(pick(b, 5_000, 1_000))
	l.inflight = 1
	all := []entrant{{nameOurs, b.ours, l}, {nameCommunity, b.community, l}}
	if err := b.raceFor(ctx, "single", all, nameCommunity, 1); err != nil {
		return err
	}
	return b.besideSync("single")
}

// besideSync prints beside a figure how long a sync takes here, which it cannot be shorter than.
func (b *bench) besideSync(key string) error {
	latency, err := syncLatency(b.dir)
	if err != nil {
		return err
	}
	f := b.table.set(key, math.NaN(), "", false)
	f.beside = sentence([]string{f.beside, fmt.Sprintf("a sync of this disk takes %.2f ms", micro(latency)/1e3)})
	return nil
}

// raceFor compares ours with another entrant and fills the figure of the same name.
func (b *bench) raceFor(ctx context.Context, key string, all []entrant, other string, goal float64) error {
	rs, err := b.race(ctx, key, b.roundsOr(3), all, b.runBacklog)
	if err != nil {
		return err
	}
	b.setRatio(key, rs, all, nameOurs, other, goal)
	return nil
}

func (b *bench) setRatio(key string, rs results, all []entrant, one, other string, goal float64) {
	ratio := rs.rate(one) / rs.rate(other)
	f := b.table.set(key, ratio, "%.2f", ratio >= goal)
	f.beside, f.costs, f.note = b.besides(rs, all), rs.costs(one), rs.note(one, other)
}

// syncLatency is the median of 200 syncs of a file that grows, as a log does.
func syncLatency(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var all []time.Duration
	for range 200 {
		if _, err := f.Write(make([]byte, 1024)); err != nil {
			return 0, err
		}
		begun := time.Now()
		if err := f.Sync(); err != nil {
			return 0, err
		}
		all = append(all, time.Since(begun))
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

// Of the large bodies.
const (
	largeBody     = 200 << 10
	largeInflight = 32
)

func (b *bench) measureLarge(ctx context.Context) error {
	l := b.usual(pick(b, 3_000, 600))
	l.body, l.inflight = largeBody, largeInflight
	all := []entrant{{nameOurs, b.ours, l}, {nameBare, b.bare, l}}
	if err := b.raceFor(ctx, "large", all, nameBare, 0.7); err != nil {
		return err
	}
	f := b.table.set("large", math.NaN(), "", false)
	// The answers are empty.
	most := float64(2*largeBody*largeInflight + 64_000_000)
	m := b.table.set("large.memory", f.costs.peak/1e6, "%.0f MB", f.costs.peak <= most)
	m.goal = fmt.Sprintf("at most %.0f MB", most/1e6)
	return nil
}

// measureMix compares ours with itself: with failures and with many functions.
func (b *bench) measureMix(ctx context.Context) error {
	plain := b.usual(pick(b, 50_000, 10_000))
	failing, hundred, thousand := plain, plain, plain
	failing.fail = 10
	failing.env = []string{"initial_retry_wait=100ms", "max_retry_wait=1s"}
	hundred.functions, thousand.functions = 100, 1000
	all := []entrant{
		{"one function", b.ours, plain}, {"a tenth failing", b.ours, failing},
		{"100 functions", b.ours, hundred}, {"1,000 functions", b.ours, thousand},
	}
	rs, err := b.race(ctx, "mix", b.roundsOr(3), all, b.runBacklog)
	if err != nil {
		return err
	}
	for i, key := range []string{"mix.fail", "mix.100", "mix.1000"} {
		b.setRatio(key, rs, []entrant{all[0], all[i+1]}, all[i+1].name, all[0].name, []float64{0.8, 0.8, 0.5}[i])
	}
	return nil
}

// measureQuiet fills the figures of a quiet function beside flooded ones.
func (b *bench) measureQuiet(ctx context.Context) error {
	b.lasting, b.waiting = pick(b, b.lasting, 2*time.Second), pick(b, b.waiting, b.waiting/2)
	for _, n := range []int{1, 10, 100, 1000} {
		p50, p99 := []float64{}, []float64{}
		for range b.roundsOr(3) {
			w, err := b.quietBeside(ctx, b.ours, flooded(n, b.waiting))
			if err != nil {
				return err
			}
			p50, p99 = append(p50, quantile(w, 0.5)/1e6), append(p99, quantile(w, 0.99)/1e6)
		}
		same := func(v float64) float64 { return v }
		goal := 15.0
		if n == 1000 {
			goal = 25
		}
		v := median(p99, same)
		f := b.table.set(fmt.Sprint("quiet.", n), v, "%.1f ms", v <= goal)
		if math.IsInf(v, 1) {
			f.value = "not all called" // within two seconds of the last
		}
		f.beside = fmt.Sprintf("median %.1f ms; medians of %d rounds", median(p50, same), len(p50))
	}
	return nil
}
