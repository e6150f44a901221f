// File stream.go publishes at a fixed rate to a running program, and watches whether its queue grows.

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/nats-io/stan.go"
)

// Of a stream.
const (
	streamTick = time.Millisecond
	// streamUnacked is how many publishes wait for the server's ack at most.
	streamUnacked = 16 << 10
	// growth is the share of the arrivals that the queue may grow by and still count as steady.
	growth = 0.01
	// offered is the share of the rate that has to be published, or the stand itself is too slow.
	offered = 0.98
	// startWait bounds the wait for a first call.
	startWait = 30 * time.Second
)

// stream is what came of publishing at a fixed rate.
type stream struct {
	rate   float64
	sent   []int64   // unix nanoseconds at which each message was published
	queued []float64 // messages published and not called, at equal intervals
	calls  []calls   // of each message
	costs  costs
}

// steady reports whether the queue did not grow, between the second and the last quarter.
func (s stream) steady(d time.Duration, inflight int) bool {
	if float64(len(s.sent)) < offered*s.rate*d.Seconds() {
		return false
	}
	q := len(s.queued) / 4
	if q == 0 {
		return false
	}
	grown := mean(s.queued[3*q:]) - mean(s.queued[q:2*q])
	return grown <= growth*s.rate*d.Seconds()/2+float64(inflight)
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// stream publishes to a program of its own at a rate for d. The first message is published before,
// and awaited, so that the program has started.
func (b *bench) stream(ctx context.Context, p program, l load, rate float64, d time.Duration) (r stream, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.timeout, errors.New("the run took too long"))
	defer cancel()
	l.messages = int(rate*d.Seconds()) + 1
	s, err := b.newStand(ctx, p, l)
	if err != nil {
		return r, err
	}
	defer s.close()
	c, err := stan.Connect(cluster, "bench-publisher", stan.NatsURL("nats://127.0.0.1:"+s.broker.port), stan.MaxPubAcksInflight(streamUnacked))
	if err != nil {
		return r, err
	}
	defer c.Close()
	if err := s.start(ctx); err != nil {
		return r, err
	}
	if err := s.warm(ctx, c); err != nil {
		return r, err
	}
	r.rate = rate
	if err := s.feed(ctx, c, &r, d); err != nil {
		return r, err
	}
	r.calls, err = s.times(ctx)
	return r, err
}

// warm publishes the last message, and waits until it has succeeded.
func (s *stand) warm(ctx context.Context, c stan.Conn) error {
	m, err := s.message(s.messages - 1)
	if err != nil {
		return err
	}
	return errors.Join(c.Publish(channel, m), s.called(ctx, 1))
}

// called waits until n invocations have succeeded.
func (s *stand) called(ctx context.Context, n int) error {
	for begun := time.Now(); time.Since(begun) < startWait; {
		var t tally
		if err := s.ask(ctx, http.MethodGet, "/tally", &t); err != nil || t.Distinct >= n {
			return err
		}
		if err := s.worker.wait(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("%d calls did not come within %s", n, startWait)
}

// feed publishes, and watches the queue meanwhile.
func (s *stand) feed(ctx context.Context, c stan.Conn, r *stream, d time.Duration) error {
	m := newMeter(s.worker, s.pids()...)
	var sent atomic.Int64
	watched := make(chan []float64)
	done := make(chan struct{})
	go func() { watched <- s.watch(ctx, &sent, done, d/100) }()
	err := s.publishAt(ctx, c, r, &sent, d)
	close(done)
	r.queued = <-watched
	var t tally
	err = errors.Join(err, s.ask(ctx, http.MethodGet, "/tally", &t))
	r.costs = m.read(max(t.Distinct-1, 1))
	return err
}

// publishAt publishes a message whenever one is due.
func (s *stand) publishAt(ctx context.Context, c stan.Conn, r *stream, sent *atomic.Int64, d time.Duration) error {
	tick := time.NewTicker(streamTick)
	defer tick.Stop()
	for begun := time.Now(); time.Since(begun) < d; {
		select {
		case <-tick.C:
		case <-s.worker.ended:
			return s.worker.why
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		due := min(int(time.Since(begun).Seconds()*r.rate), s.messages-1)
		for i := len(r.sent); i < due; i++ {
			m, err := s.message(i)
			if err != nil {
				return err
			}
			r.sent = append(r.sent, time.Now().UnixNano())
			if _, err := c.PublishAsync(channel, m, func(string, error) {}); err != nil {
				return err
			}
			sent.Add(1)
		}
	}
	return nil
}

// watch notes the length of the queue at equal intervals until done is closed.
func (s *stand) watch(ctx context.Context, sent *atomic.Int64, done <-chan struct{}, every time.Duration) (queued []float64) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-done:
			return queued
		}
		var t tally
		published := sent.Load()
		if s.ask(ctx, http.MethodGet, "/tally", &t) == nil {
			queued = append(queued, float64(published-int64(t.Distinct)+1))
		}
	}
}

// times are the calls of each message, as the functions saw them.
func (s *stand) times(ctx context.Context) ([]calls, error) {
	b, err := read(ctx, s.sink.port, http.MethodGet, "/times")
	if err != nil {
		return nil, err
	}
	all := make([]calls, len(b)/16)
	for i := range all {
		all[i].first = int64(binary.BigEndian.Uint64(b[16*i:]))
		all[i].last = int64(binary.BigEndian.Uint64(b[16*i+8:]))
	}
	return all, nil
}
