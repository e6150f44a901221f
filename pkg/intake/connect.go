// File connect.go makes the connection, and makes it again when it is lost, without end.

package intake

import (
	"context"
	"regexp"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// The waits between attempts to connect: short at first, and never long, so that
// messages flow again within 5 s after a server has come back.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 2 * time.Second
	// steady is how long a connection must have lasted to begin with firstRetry again.
	steady = 10 * time.Second
)

func newBackOff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = firstRetry, lastRetry
	b.Multiplier, b.RandomizationFactor = 2, 0.2
	b.MaxElapsedTime = 0 // never give up
	b.Reset()
	return b
}

// connectLoop connects and serves until ctx is done. It leaves the session that
// was there at the end open.
func (i *Intake) connectLoop(ctx context.Context) {
	wait := newBackOff()
	for ctx.Err() == nil {
		began := time.Now()
		err := i.runSession(ctx)
		if err == nil {
			return
		}
		if time.Since(began) >= steady {
			wait.Reset()
		}
		i.noteDown(err)
		select {
		case <-ctx.Done():
		case <-time.After(wait.NextBackOff()):
		}
	}
}

// runSession returns nil only when ctx is done.
func (i *Intake) runSession(ctx context.Context) error {
	s, err := i.connect()
	if err != nil {
		return err
	}
	i.book.forgetParked()
	err = s.serve(ctx)
	if err == nil {
		return nil
	}
	i.mu.Lock()
	i.session = nil
	i.mu.Unlock()
	_ = s.close() // it is lost; this frees what the library holds
	return err
}

// noteUp and noteDown keep what Ready returns, and log each change once.
func (i *Intake) noteUp(s *session) {
	i.mu.Lock()
	again := i.clientID != ""
	failed := i.failed
	i.session, i.clientID, i.down, i.failed = s, s.clientID, nil, 0
	i.mu.Unlock()
	i.opts.Metrics.connected.Set(1)
	if again {
		i.opts.Metrics.reconnects.Inc()
	}
	attrs := []any{"url", i.url, "cluster", i.opts.Cluster, "client_id", s.clientID, "queues", i.queueNames()}
	if failed > 0 {
		attrs = append(attrs, "failed_connects", failed)
	}
	i.log.Info("connected to NATS Streaming", attrs...)
	if !again {
		close(i.connected)
	}
}

func (i *Intake) noteDown(err error) {
	i.mu.Lock()
	same := i.down != nil && withoutPorts(i.down) == withoutPorts(err)
	if i.down == nil {
		i.downAt = time.Now()
	}
	i.down = err
	i.failed++
	failed := i.failed
	i.mu.Unlock()
	i.opts.Metrics.connected.Set(0)
	if !same {
		i.log.Warn("cannot connect to NATS Streaming, retrying", "url", i.url, "error", err, "failed_connects", failed)
	}
}

// ports are the port numbers in an error of the network: ours is another one with each connection.
var ports = regexp.MustCompile(`:[0-9]+`)

// withoutPorts is what an error says of the state of a connection.
func withoutPorts(err error) string { return ports.ReplaceAllString(err.Error(), "") }

// drain ends the taking of a session that is to be closed. With a durable store
// nothing stays unsettled, so the other workers get the rest at once. Without
// one, running calls are still to be acked, on this very subscription.
func (i *Intake) drain() {
	i.mu.Lock()
	s := i.session
	i.mu.Unlock()
	if s == nil || !i.durable {
		return
	}
	if err := i.book.waitIdle(drainTimeout); err != nil {
		i.log.Warn("intake stopped with unsettled messages, they will be redelivered", "error", err)
		return
	}
	if err := s.unsubscribe(); err != nil {
		i.log.Debug("subscriptions not closed, closing the connection instead", "error", err)
	}
}
