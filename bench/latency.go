// File latency.go measures the time from publish to call at a fixed rate.

package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Of the latency.
const (
	latencyRate  = 1000
	latencyWhole = 15 * time.Second
	latencyQuick = 4 * time.Second
)

// delays are the quantiles of one run in milliseconds.
type delays struct {
	p50, p99 float64
	costs    costs
}

func (b *bench) measureLatency(ctx context.Context) error {
	programs := []program{b.ours, b.bare}
	got := map[string][]delays{}
	for round := range b.roundsOr(3) {
		for i := range programs {
			p := programs[(round+i)%len(programs)]
			d, err := b.delaysOf(ctx, p)
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", p.name, round+1, err)
			}
			got[p.name] = append(got[p.name], d)
			b.progress("latency, round %d, %s: p50 %.2f ms, p99 %.2f ms, others %.1f us", round+1, p.name, d.p50, d.p99, d.costs.others)
		}
	}
	b.setLatency("latency.p50", got, func(d delays) float64 { return d.p50 })
	b.setLatency("latency.p99", got, func(d delays) float64 { return d.p99 })
	return b.besideSync("latency.p50")
}

func (b *bench) delaysOf(ctx context.Context, p program) (d delays, err error) {
	r, err := b.stream(ctx, p, b.usual(0), latencyRate, pick(b, latencyWhole, latencyQuick))
	if err != nil {
		return d, err
	}
	v := make([]float64, 0, len(r.sent))
	for i, at := range r.sent {
		if first := r.calls[i].first; first > 0 {
			v = append(v, float64(first-at)/1e6)
		}
	}
	slices.Sort(v)
	return delays{quantile(v, 0.5), quantile(v, 0.99), r.costs}, nil
}

func (b *bench) setLatency(key string, got map[string][]delays, of func(delays) float64) {
	ours, bare := median(got[nameOurs], of), median(got[nameBare], of)
	f := b.table.set(key, ours/bare, "%.2f", ours <= 2*bare)
	f.beside = fmt.Sprintf("%s %.2f ms; %s %.2f ms", nameOurs, ours, nameBare, bare)
	f.costs = got[nameOurs][0].costs
}
