package intake

// ackLoop sends acks, so that nobody else waits for the connection. An ack that
// cannot be sent is given up: its subscription is gone, so the message comes again
// on the next one, and is acked there.
func (i *Intake) ackLoop() {
	for {
		acks := i.book.ackAll()
		for _, m := range acks {
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
