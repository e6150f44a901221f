package intake

import (
	"context"
	"fmt"

	"queue-worker/pkg/crash"
)

// ackLoop sends acks, so that nothing else waits for the connection. What is acked
// here is stored, or settled, already. An ack that cannot be sent is given up: its
// subscription is gone, so the message is redelivered on the next one, is known, and
// is acked there.
func (i *Intake) ackLoop() {
	defer crash.LogPanic(i.log, "acks")
	for {
		acks := i.book.ackAll()
		for _, m := range acks {
			crash.Point("before-ack")
			if err := m.Ack(); err != nil {
				i.opts.Metrics.ackErrors.Inc()
				i.log.Debug("ack not sent, message will be redelivered", "queue", m.Subject, "sequence", m.Sequence, "error", err)
			}
		}
		i.book.sent(len(acks))
		select {
		case <-i.toAck:
		case <-i.quit:
			return
		}
	}
}

// Flush returns when the server has got every ack that was due when it was called.
// An error means that it may not have, and will send such a message again to the
// next process if this one ends before the ack is sent. It waits as long as ctx
// allows, and 3 s at most.
func (i *Intake) Flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	i.mu.Lock()
	s, down := i.session, i.down
	i.mu.Unlock()
	if down != nil || s == nil {
		return fmt.Errorf("flush acks: %w", ErrNotConnected)
	}
	if err := i.book.waitAcked(ctx); err != nil {
		return fmt.Errorf("flush acks: %w", err)
	}
	if err := s.conn.NatsConn().FlushWithContext(ctx); err != nil {
		return fmt.Errorf("flush acks: %w", err)
	}
	return nil
}
