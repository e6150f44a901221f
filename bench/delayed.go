// File delayed.go measures a store with many delayed invocations: how soon it is ready, its memory, how late
// retries are beside them, and its memory when all of them fall due at once.

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/stan.go"
	"golang.org/x/sync/semaphore"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
)

// Of the delayed invocations and the retries beside them.
const (
	manyDelayed = 1_000_000
	fewDelayed  = 100_000
	lateWait    = 3 * time.Second // of a retry
	lateRate    = 1000
	lateGoal    = 50.0 // milliseconds
	filling     = 4096 // accepted at a time
	// dueMargin is the time for the worker's start, between the end of filling and the due time.
	dueMargin  = 20 * time.Second
	dueTimeout = 5 * time.Minute
)

// fillStore makes a store in dir with n delayed invocations. It returns how long that took.
func (b *bench) fillStore(ctx context.Context, dir string, n int, due func(i int) time.Time) (time.Duration, error) {
	begun := time.Now()
	s, err := embedded.Open(embedded.Options{Dir: dir, Slots: b.inflight, Sync: time.Second})
	if err != nil {
		return 0, err
	}
	free, failed := semaphore.NewWeighted(filling), make(chan error, 1)
	for i := range n {
		if err := free.Acquire(ctx, 1); err != nil {
			return 0, errors.Join(context.Cause(ctx), s.Close())
		}
		a, err := b.delayed(i, due(i))
		if err != nil {
			return 0, errors.Join(err, s.Close())
		}
		s.Accept(a, func(err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
			free.Release(1)
		})
	}
	err = errors.Join(free.Acquire(ctx, filling), s.Close())
	select {
	case first := <-failed:
		err = errors.Join(first, err)
	default:
	}
	b.progress("%d delayed invocations stored in %s", n, time.Since(begun).Round(time.Second))
	return time.Since(begun), err
}

// delayed is the i-th one.
func (b *bench) delayed(i int, due time.Time) (store.Accept, error) {
	raw, err := message("bench", runName, int64(i), b.body)
	now := time.Now()
	id := invocation.NewID(now)
	return store.Accept{Raw: raw, Inv: &invocation.Invocation{
		ID: id, CallID: id.String(), Function: "bench", Lane: invocation.Lane{Queue: channel, Name: "bench"}, Accepted: now, Since: due,
	}}, err
}

// besideDelayed is one round beside many delayed invocations.
type besideDelayed struct {
	ready    float64 // seconds until the worker was ready
	resident float64 // bytes, before the retries
	p50, p99 float64 // lateness of retries in milliseconds
	early    int     // retries
	others   float64 // CPU of other processes in microseconds for an invocation
}

func (b *bench) measureDelayed(ctx context.Context) error {
	sizes := pick(b, []int{fewDelayed, manyDelayed}, []int{fewDelayed})
	for _, n := range sizes {
		dir := filepath.Join(b.dir, "delayed")
		if _, err := b.fillStore(ctx, dir, n, func(int) time.Time { return time.Now().Add(24 * time.Hour) }); err != nil {
			return err
		}
		var all []besideDelayed
		for round := range b.roundsOr(3) {
			r, err := b.retriesBeside(ctx, dir)
			if err != nil {
				return fmt.Errorf("beside %d delayed, round %d: %w", n, round+1, err)
			}
			b.progress("delayed, %d, round %d: ready in %.2f s, %.0f MB, retries late p50 %.1f ms, p99 %.1f ms, early %d, others %.1f us",
				n, round+1, r.ready, r.resident/1e6, r.p50, r.p99, r.early, r.others)
			all = append(all, r)
		}
		b.setDelayed(n, all)
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) setDelayed(n int, all []besideDelayed) {
	early := 0
	for _, r := range all {
		early += r.early
	}
	m := func(of func(besideDelayed) float64) float64 { return median(all, of) }
	p99 := m(func(r besideDelayed) float64 { return r.p99 })
	f := b.table.set(fmt.Sprint("late.", n), p99, "%.1f ms", p99 < lateGoal && early == 0)
	f.beside = fmt.Sprintf("median %.1f ms; %d early", m(func(r besideDelayed) float64 { return r.p50 }), early)
	if n != manyDelayed {
		return
	}
	resident, ready := m(func(r besideDelayed) float64 { return r.resident }), m(func(r besideDelayed) float64 { return r.ready })
	b.table.set("memory.delayed", resident/1e6, "%.0f MB", resident <= 96e6)
	b.table.set("ready", ready, "%.2f s", ready <= 0.5)
}

// retriesBeside starts a worker on a store, and has invocations fail once.
func (b *bench) retriesBeside(ctx context.Context, dir string) (r besideDelayed, err error) {
	d := pick(b, 10*time.Second, 2*time.Second)
	l := b.usual(int(lateRate*d.Seconds()) + 1)
	l.store, l.fail = dir, 1
	l.env = []string{"initial_retry_wait=" + lateWait.String(), "max_retry_wait=" + lateWait.String()}
	ctx, cancel := context.WithTimeoutCause(ctx, l.timeout, errors.New("the run took too long"))
	defer cancel()
	s, err := b.newStand(ctx, b.ours, l)
	if err != nil {
		return r, err
	}
	defer s.close()
	ready, err := s.startReady(ctx)
	if err != nil {
		return r, err
	}
	r.ready = ready.Seconds()
	if err := s.worker.wait(ctx, b.settleTime()); err != nil {
		return r, err
	}
	r.resident = usageOf(s.worker.cmd.Process.Pid).resident
	c, err := stan.Connect(cluster, "bench-publisher", stan.NatsURL("nats://127.0.0.1:"+s.broker.port), stan.MaxPubAcksInflight(streamUnacked))
	if err != nil {
		return r, err
	}
	defer c.Close()
	if err := s.warm(ctx, c); err != nil {
		return r, err
	}
	run := stream{rate: lateRate}
	if err := s.feed(ctx, c, &run, d); err != nil {
		return r, err
	}
	r.others = run.costs.others
	return r, s.lateness(ctx, len(run.sent), &r)
}

// lateness waits for the retries of the first n invocations, and computes how late they were.
func (s *stand) lateness(ctx context.Context, n int, r *besideDelayed) error {
	if err := s.called(ctx, n+1); err != nil {
		return err
	}
	all, err := s.times(ctx)
	if err != nil {
		return err
	}
	late := make([]float64, 0, n)
	for _, c := range all[:n] {
		ms := float64(c.last-c.first-int64(lateWait)) / 1e6
		if ms < 0 {
			r.early++
		}
		late = append(late, ms)
	}
	slices.Sort(late)
	r.p50, r.p99 = quantile(late, 0.5), quantile(late, 0.99)
	return nil
}

// startReady starts the program, and returns how long it took until it was ready.
func (s *stand) startReady(ctx context.Context) (time.Duration, error) {
	begun := time.Now()
	if err := s.start(ctx); err != nil {
		return 0, err
	}
	for time.Since(begun) < startWait {
		if _, err := read(ctx, s.worker.admin, http.MethodGet, "/readyz"); err == nil {
			return time.Since(begun), nil
		}
		if err := s.worker.wait(ctx, 5*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("not ready within %s", startWait)
}

// settleTime is how long a worker is left alone before its memory is read.
func (b *bench) settleTime() time.Duration { return pick(b, 10*time.Second, 2*time.Second) }

// measureIdle reads the memory of a worker that has nothing to do.
func (b *bench) measureIdle(ctx context.Context) error {
	s, err := b.newStand(ctx, b.ours, b.usual(1))
	if err != nil {
		return err
	}
	defer s.close()
	if _, err := s.startReady(ctx); err != nil {
		return err
	}
	if err := s.worker.wait(ctx, b.settleTime()); err != nil {
		return err
	}
	resident := usageOf(s.worker.cmd.Process.Pid).resident
	b.table.set("memory.idle", resident/1e6, "%.0f MB", resident <= 32e6)
	return nil
}

// measureDue reads the peak of the memory while a million invocations fall due in one second.
func (b *bench) measureDue(ctx context.Context) error {
	if b.quick {
		return nil
	}
	probe := filepath.Join(b.dir, "probe")
	took, err := b.fillStore(ctx, probe, fewDelayed, func(int) time.Time { return time.Now().Add(time.Hour) })
	if err = errors.Join(err, os.RemoveAll(probe)); err != nil {
		return err
	}
	at := time.Now().Add(2*took*manyDelayed/fewDelayed + dueMargin)
	dir := filepath.Join(b.dir, "due")
	defer os.RemoveAll(dir)
	second := func(i int) time.Time { return at.Add(time.Duration(i) * time.Second / manyDelayed) }
	if _, err := b.fillStore(ctx, dir, manyDelayed, second); err != nil {
		return err
	}
	return b.dueAt(ctx, dir, at)
}

func (b *bench) dueAt(ctx context.Context, dir string, at time.Time) error {
	l := b.usual(manyDelayed)
	l.store = dir
	s, err := b.newStand(ctx, b.ours, l)
	if err != nil {
		return err
	}
	defer s.close()
	if _, err := s.startReady(ctx); err != nil {
		return err
	}
	if time.Now().After(at) {
		return errors.New("the worker was not ready before the due time")
	}
	if err := s.worker.wait(ctx, time.Until(at)); err != nil {
		return err
	}
	m := newMeter(s.worker, s.pids()...)
	var t tally
	for begun := time.Now(); t.Distinct < manyDelayed && time.Since(begun) < dueTimeout; {
		if err := errors.Join(s.worker.wait(ctx, 100*time.Millisecond), s.ask(ctx, http.MethodGet, "/tally", &t)); err != nil {
			return err
		}
	}
	c := m.read(max(t.Distinct, 1))
	f := b.table.set("memory.due", c.peak/1e6, "%.0f MB", c.peak <= 128e6)
	f.costs, f.beside = c, fmt.Sprintf("%d called at %.0f/s", t.Distinct, float64(t.Distinct)/math.Max(t.took().Seconds(), 1))
	return nil
}
