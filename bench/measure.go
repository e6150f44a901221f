// The measurement: rounds in which the programs take turns, and the table.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// What was expected of our worker on the way, as multiples.
const (
	expectedCommunity = 8.0
	expectedBare      = 0.8
)

// runTimeout bounds one measurement.
const runTimeout = 10 * time.Minute

// stand is what all programs are measured on.
type stand struct {
	options      options
	dir          string // where our worker may keep its store
	broker, sink *child
}

func newStand(ctx context.Context, o options, dir string) (*stand, error) {
	broker, err := startChild(ctx, "child-broker", fmt.Sprint(2*max(o.messages, o.community)))
	if err != nil {
		return nil, err
	}
	sink, err := startChild(ctx, "child-sink")
	if err != nil {
		broker.close()
		return nil, err
	}
	return &stand{o, dir, broker, sink}, nil
}

func (s *stand) close() {
	s.sink.close()
	s.broker.close()
}

// result is one measurement of one program.
type result struct {
	perSecond float64
	usage     usage
	tally     tally
}

func (s *stand) measure(ctx context.Context, programs []program) error {
	results := map[string][]result{}
	for round := range s.options.rounds {
		for i := range programs {
			p := programs[(round+i)%len(programs)] // nobody is always first
			r, err := s.once(ctx, p, fmt.Sprintf("%d-%d", round, i))
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", p.name, round+1, err)
			}
			results[p.name] = append(results[p.name], r)
			fmt.Printf("round %d  %-9s  %7.0f/s  (%d messages in %.2fs; repeated %d, of other runs %d)\n", round+1, p.name,
				r.perSecond, p.messages, r.tally.took().Seconds(), r.tally.Repeated, r.tally.Strays)
		}
	}
	return s.print(programs, results)
}

// once publishes the messages of one run, starts a program and waits until each
// of them has arrived at the function.
func (s *stand) once(ctx context.Context, p program, run string) (r result, err error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	ctx, ended := context.WithCancelCause(ctx)
	defer ended(nil)
	if err := s.ask(ctx, http.MethodPost, fmt.Sprintf("/begin/%s?n=%d", run, p.messages), nil); err != nil {
		return r, err
	}
	bench := func(i int) ([]byte, error) { return message("bench", run, int64(i), s.options.body) }
	if err := publish(s.broker.says, p.messages, bench); err != nil {
		return r, fmt.Errorf("publish: %w", err)
	}
	env := append(environment(s.broker.says, s.sink.says, s.options.inflight), p.env(filepath.Join(s.dir, run))...)
	w, err := p.start(ctx, env, ended)
	if err != nil {
		return r, err
	}
	err = s.ask(ctx, http.MethodGet, "/await", &r.tally)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	u, stopErr := w.stop()
	if err := errors.Join(err, stopErr); err != nil {
		return r, err
	}
	r.usage = u
	r.perSecond = float64(p.messages-1) / r.tally.took().Seconds()
	return r, nil
}

// ask is one request to the functions' own endpoints.
func (s *stand) ask(ctx context.Context, method, path string, answer any) error {
	return ask(ctx, s.sink.says, method, path, answer)
}

func ask(ctx context.Context, port, method, path string, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1:"+port+path, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the function answers %s", res.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(answer)
}

func (s *stand) print(programs []program, results map[string][]result) error {
	fmt.Printf("\n%d-byte bodies, %d calls at a time, %d rounds, %d CPUs, everything on them, %s\n\n",
		s.options.body, s.options.inflight, s.options.rounds, runtime.NumCPU(), runtime.Version())
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tinvocations/s\tleast\tmost\tbeside community\tbeside bare\tCPU s per 100,000\tpeak RSS MB\t")
	rate := map[string]float64{}
	for _, p := range programs {
		rate[p.name] = median(results[p.name], func(r result) float64 { return r.perSecond })
	}
	for _, p := range programs {
		rs := results[p.name]
		perSecond := func(r result) float64 { return r.perSecond }
		cpu := median(rs, func(r result) float64 { return r.usage.cpu.Seconds() * 100_000 / float64(p.messages) })
		rss := median(rs, func(r result) float64 { return float64(r.usage.peakRSS) / 1e6 })
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.0f\t%.2f\t%.2f\t%.1f\t%.0f\t\n", p.name, rate[p.name],
			least(rs, perSecond), -least(rs, func(r result) float64 { return -r.perSecond }),
			rate[p.name]/rate["community"], rate[p.name]/rate["bare"], cpu, rss)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Printf("\nexpected of ours on the way: %.1f beside community, %.1f beside the bare loop\n", expectedCommunity, expectedBare)
	return nil
}

func values(rs []result, of func(result) float64) []float64 {
	v := make([]float64, 0, len(rs))
	for _, r := range rs {
		v = append(v, of(r))
	}
	slices.Sort(v)
	return v
}

func median(rs []result, of func(result) float64) float64 {
	v := values(rs, of)
	if len(v) == 0 {
		return math.NaN()
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

func least(rs []result, of func(result) float64) float64 { return values(rs, of)[0] }
