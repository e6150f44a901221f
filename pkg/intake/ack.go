package intake

import "queue-worker/pkg/crash"

// ackLoop sends acks, so that nobody else waits for the connection. What is acked
// here is stored, or settled, already. An ack that cannot be sent is given up: its
// subscription is gone, so the message comes again on the next one, is known, and
// is acked there.
func (i *Intake) ackLoop() {
	for {
		acks := i.book.ackAll()
		for _, m := range acks {
			crash.Point("before-ack")
			if err := m.Ack(); err != nil {
				i.opts.Metrics.ackErrors.Inc()
				i.log.Debug("ack not sent, the message will come again", "queue", m.Subject, "sequence", m.Sequence, "error", err)
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
