// File fetch.go fetches messages that were delivered when there was no room.
//
// The server counts a parked message as delivered, and would redeliver it only after
// AckWait or to a new member of the queue group. So it is read from the channel's log by
// a separate subscription, outside of the group, and acked on the main subscription later.

package intake

import (
	"context"
	"time"

	"github.com/nats-io/stan.go"
)

const (
	// fetchWindow is how many messages are on the way at a time: their bytes come on
	// top of the bound.
	fetchWindow = 4
	// fetchPatience is how long the server may take to send the next message. It is
	// reading its own log, so silence means that there is none.
	fetchPatience = 30 * time.Second
)

// fetch reads the parked messages of a queue in the background, when there are
// any, there is room, and no fetch is running.
func (s *session) fetch(ctx context.Context, q int) {
	span, ok := s.in.book.parkedSpan(q, time.Now())
	if !ok || len(s.subs) <= q || !s.fetching[q].CompareAndSwap(false, true) {
		return
	}
	main := s.subs[q]
	s.fetchers.Go(func() {
		if err := s.read(ctx, q, main, span); err != nil && ctx.Err() == nil {
			s.in.log.Debug("fetching parked messages interrupted, retrying", "queue", s.in.opts.Channels[q], "error", err)
		}
		s.fetching[q].Store(false)
		s.in.review.raise()
	})
}

// read goes once through a part of a queue.
func (s *session) read(ctx context.Context, q int, main stan.Subscription, span span) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	came := make(chan *stan.Msg)
	sub, err := s.conn.Subscribe(s.in.opts.Channels[q], func(m *stan.Msg) {
		select {
		case came <- m:
		case <-ctx.Done():
		}
	}, stan.StartAtSequence(span.low), stan.SetManualAckMode(), stan.MaxInflight(fetchWindow), stan.AckWait(unsettledAckWait))
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }() // else it ends with the connection
	defer cancel()
	idle := time.NewTimer(fetchPatience)
	defer idle.Stop()
	for first := true; ; first = false {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-idle.C:
			s.noteDiscarded(q, span.epoch, span.high+1)
			return nil
		case m := <-came:
			if first {
				s.noteDiscarded(q, span.epoch, m.Sequence)
			}
			if err := s.handOver(ctx, q, span.epoch, main, m); err != nil || m.Sequence >= span.high {
				return err
			}
			idle.Reset(fetchPatience)
		}
	}
}

// handOver gives a message that was read to the book, waiting for room, and lets
// the next one come.
func (s *session) handOver(ctx context.Context, q, epoch int, main stan.Subscription, m *stan.Msg) error {
	taking := &stan.Msg{MsgProto: m.MsgProto, Sub: main}
	for {
		if err := s.in.book.waitRoom(ctx); err != nil {
			return err
		}
		switch s.in.book.fetched(q, epoch, taking) {
		case parked:
			continue // another message took the room
		case taken:
			s.in.opts.Metrics.received.WithLabelValues(s.in.opts.Channels[q]).Inc()
		case known, settled, ignored:
		}
		return m.Ack()
	}
}

// noteDiscarded logs parked messages that are gone from the server: its log has
// none below this sequence any more.
func (s *session) noteDiscarded(q, epoch int, below uint64) {
	if n := s.in.book.discarded(q, epoch, below); n > 0 {
		s.in.opts.Metrics.discarded.Add(float64(n))
		s.in.log.Warn("messages lost: NATS Streaming removed them at its own limits",
			"queue", s.in.opts.Channels[q], "messages", n, "hint", "Raise max_msgs, max_bytes or max_age of NATS Streaming.")
	}
}
