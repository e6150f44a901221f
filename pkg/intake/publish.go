// File publish.go publishes: without a durable store, submissions over HTTP go to the
// queue first, and are read from there like other messages.

package intake

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// Why a message was surely not published.
var (
	ErrNotConnected = errors.New("not connected to NATS Streaming")
	ErrTooLarge     = errors.New("larger than the limit of NATS Streaming")
	ErrNoRoom       = errors.New("NATS Streaming has no room")
)

// Publish publishes a QueueRequest to a queue, on the connection that the intake
// has anyway. data must not change until it returns.
//
//	nil                                     NATS Streaming has confirmed it
//	ErrNotConnected, ErrTooLarge, ErrNoRoom it was not published
//	anything else                           unknown: ctx has ended, or the connection
//
// It waits for the confirmation as long as ctx allows, and 30 s at most.
func (i *Intake) Publish(ctx context.Context, queue string, data []byte) error {
	done := make(chan error, 1)
	s, err := i.publishing(func(s *session) { done <- s.publish(queue, data) })
	if err != nil {
		return err
	}
	select {
	case err = <-done:
	case <-ctx.Done():
		return fmt.Errorf("publish to %s: no confirmation: %w", queue, context.Cause(ctx))
	}
	if errors.Is(err, nats.ErrMaxPayload) {
		return fmt.Errorf("%w: %d bytes, its max_payload is %d", ErrTooLarge, len(data), s.conn.NatsConn().MaxPayload())
	}
	if err != nil {
		return fmt.Errorf("publish to %s: %w", queue, err)
	}
	return nil
}

func (s *session) publish(queue string, data []byte) error {
	if int64(len(data)) > s.conn.NatsConn().MaxPayload() {
		return nats.ErrMaxPayload
	}
	if b := s.in.opts.Backlog; b != nil {
		if err := b.Reserve(queue, len(data)); err != nil {
			return fmt.Errorf("%w: %w", ErrNoRoom, err)
		}
	}
	return s.conn.Publish(queue, data)
}

// publishing runs do beside its caller, which need not wait for it: with a server
// that hangs, a write takes as long as it takes. Close ends it.
func (i *Intake) publishing(do func(*session)) (*session, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.session
	switch {
	case i.closed:
		return nil, fmt.Errorf("%w: closed", ErrNotConnected)
	case i.down != nil:
		return nil, fmt.Errorf("%w: %w", ErrNotConnected, i.down)
	case s == nil:
		return nil, fmt.Errorf("%w: connecting", ErrNotConnected)
	}
	i.busy.Go(func() { do(s) })
	return s, nil
}
