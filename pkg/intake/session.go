// File session.go has one connection, with one durable queue subscription per channel.

package intake

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go"
)

// A dead server is noticed within pingInterval * (pingsOut+1), 4 s; one that was
// restarted and does not know us, with the next ping.
const (
	pingInterval = 1 // seconds
	pingsOut     = 3
)

// connectWait bounds the dial and each request to the server.
const connectWait = 2 * time.Second

// tickPeriod is how often a session and the watch look around.
const tickPeriod = time.Second

// window is how many unacked messages the server sends per channel, with a durable
// store: several commits' worth at the highest rate. The server counts messages, not
// bytes: what a window of large ones comes to must also fit into the server's buffer
// for one client, 64 MiB, or it cuts the connection. Bodies of 180 KB fit.
const window = 256

// unsettledAckWait is the subscription's AckWait without a durable store. The call
// may take days, so it never expires under it: the messages of a dead worker come
// back by its heartbeats or its client id.
const unsettledAckWait = 24 * time.Hour

// storeBytes bounds the bytes of the messages between their arrival and their commit,
// with a durable store: four batches of the store.
const storeBytes = 4 << 20

func (i *Intake) limits() limits {
	if i.durable {
		return limits{durable: true, max: 4 * window * len(i.opts.Channels), size: i.opts.storeBytes}
	}
	return limits{max: max(i.opts.MaxUnsettled, 1), size: max(i.opts.MaxUnsettledBytes, 1)}
}

// session is one connection's life. serve owns it until it ends.
type session struct {
	in       *Intake
	conn     stan.Conn
	clientID string
	lost     chan error // gets at least one value when the connection ends
	subs     []stan.Subscription
	unread   unread
	fetching []atomic.Bool // by queue
	fetchers sync.WaitGroup
}

// connect makes one attempt under each client id until one is free.
func (i *Intake) connect() (*session, error) {
	i.mu.Lock()
	before := i.clientID
	i.mu.Unlock()
	for _, id := range clientIDs(i.opts.Hostname, before) {
		s, err := i.dial(id)
		if err == nil || !isTaken(err) {
			return s, err
		}
	}
	return nil, fmt.Errorf("all %d client ids of host %q are in use; give each worker its own hostname", maxClientIDs, i.opts.Hostname)
}

// isTaken recognises the server's answer to a client id that another, living
// client has. The library passes it on as text.
func isTaken(err error) bool { return strings.Contains(err.Error(), "clientID already registered") }

func (i *Intake) dial(id string) (*session, error) {
	s := &session{in: i, clientID: id, lost: make(chan error, 4), fetching: make([]atomic.Bool, len(i.opts.Channels))}
	// The NATS connection below must not be remade by itself: the server would
	// send into the gap, and what is lost there is not sent again before AckWait.
	opts := []nats.Option{
		nats.NoReconnect(), nats.Timeout(connectWait),
		nats.ClosedHandler(func(c *nats.Conn) { s.lose(c.LastError()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			i.log.Debug("nats", "error", err)
		}),
	}
	if i.opts.Embedded != nil {
		opts = append(opts, nats.InProcessServer(gatedServer{i.opts.Embedded, s.unread.limit(i.opts.readAhead)}))
	} else {
		login, err := i.opts.Login.options()
		if err != nil {
			return nil, err
		}
		opts = append(opts, login...)
		opts = append(opts, nats.SetCustomDialer(gatedDialer{s.unread.limit(i.opts.readAhead)}))
	}
	conn, err := stan.Connect(i.opts.Cluster, id, stan.NatsURL(i.opts.URL), stan.NatsOptions(opts...),
		stan.ConnectWait(connectWait), stan.Pings(pingInterval, pingsOut),
		stan.SetConnectionLostHandler(func(_ stan.Conn, err error) { s.lose(err) }))
	if err != nil {
		return nil, explain(err, i.opts.Cluster)
	}
	s.conn = conn
	return s, nil
}

// explain adds what an operator can do.
func explain(err error, cluster string) error {
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired):
		return fmt.Errorf("the server refused the credentials; check stan_credentials_file: %w", err)
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("the server does not encrypt, and stan_ca_file or stan_cert_file asks for it: %w", err)
	case errors.As(err, &unknown):
		return fmt.Errorf("the certificate of the server is not trusted; name its CA in stan_ca_file: %w", err)
	case strings.Contains(err.Error(), "remote error: tls"), strings.Contains(err.Error(), "closed by remote after TLS handshake"):
		// Which of the two errors comes is a race, so neither is part of the text: it would be another line of
		// the log with every attempt.
		return errors.New("the server asks for a client certificate, or refused it; check stan_cert_file and stan_key_file")
	case errors.Is(err, nats.ErrNoServers):
		return fmt.Errorf("%w; check faas_nats_address and faas_nats_port, and that the server runs", err)
	case errors.Is(err, stan.ErrConnectReqTimeout):
		return fmt.Errorf("a NATS server answers, but no NATS Streaming cluster %q; check faas_nats_cluster_name: %w", cluster, err)
	}
	return err
}

// lose notifies serve that the connection has ended.
func (s *session) lose(err error) {
	if err == nil {
		err = errors.New("the server closed the connection")
	}
	select {
	case s.lost <- err:
	default:
	}
}

// serve keeps the subscriptions as they should be until ctx is done, which is no
// error, or the connection is lost.
func (s *session) serve(ctx context.Context) error {
	fetching, cancel := context.WithCancel(ctx)
	defer func() { cancel(); s.fetchers.Wait() }()
	tick := time.NewTicker(s.in.opts.tick)
	defer tick.Stop()
	for first := true; ; first = false {
		if err := s.review(fetching); err != nil {
			return err
		}
		if first {
			s.in.noteUp(s)
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-s.lost:
			return err
		case <-s.in.review:
		case <-tick.C:
			s.in.book.age(time.Now())
		}
	}
}

// review closes and makes subscriptions, and fetches what was parked.
//
// Closing one gives all its unacked messages to the other workers of the queue
// group, at once. So it is never closed with something unacked: another worker
// would call what is being called here.
func (s *session) review(ctx context.Context) error {
	b := s.in.book
	resting := b.isFull()
	switch {
	case len(s.subs) == 0 && !(resting && s.in.durable):
		if err := s.subscribe(); err != nil {
			return err
		}
	case resting && s.in.durable && b.isIdle():
		return s.unsubscribe()
	}
	for q := range s.fetching {
		s.fetch(ctx, q)
	}
	return nil
}

func (s *session) subscribe() error {
	o := s.in.opts
	wait, inflight := max(o.AckWait, time.Second), window
	if !s.in.durable {
		wait, inflight = unsettledAckWait, max(o.MaxUnsettled/len(o.Channels), 1)
	}
	for q, channel := range o.Channels {
		sub, err := s.conn.QueueSubscribe(channel, o.Group, func(m *stan.Msg) { s.in.deliver(q, m) },
			stan.DurableName(strings.ReplaceAll(channel, ".", "_")), stan.DeliverAllAvailable(),
			stan.SetManualAckMode(), stan.AckWait(wait), stan.MaxInflight(inflight))
		if err != nil {
			return fmt.Errorf("subscribe to %s: %w", channel, err)
		}
		s.subs = append(s.subs, sub)
		s.unread.add(sub)
		if err := sub.SetPendingLimits(-1, -1); err != nil { // the gate is the limit
			return fmt.Errorf("subscribe to %s: %w", channel, err)
		}
	}
	return nil
}

// unsubscribe closes the subscriptions; the server keeps their place. What was
// parked is the server's again.
func (s *session) unsubscribe() error {
	for _, sub := range s.subs {
		if err := sub.Close(); err != nil {
			return fmt.Errorf("close a subscription: %w", err)
		}
	}
	s.subs = nil
	s.unread.clear()
	s.in.book.forgetParked()
	return nil
}

// close ends the connection. The server has processed every ack that was sent
// before it answers.
func (s *session) close() error {
	if err := s.conn.Close(); err != nil {
		return fmt.Errorf("close the connection to NATS Streaming: %w", err)
	}
	return nil
}

// deliver is called by the client library for each message, in the order of
// arrival per channel. It does not wait.
func (i *Intake) deliver(queue int, m *stan.Msg) {
	name := i.opts.Channels[queue]
	switch v := i.book.deliver(queue, m); v {
	case taken:
		i.opts.Metrics.received.WithLabelValues(name).Inc()
	case known, settled:
		i.opts.Metrics.duplicates.WithLabelValues(name).Inc()
		i.log.Debug("message redelivered", "queue", name, "sequence", m.Sequence, "settled", v == settled)
	case parked, ignored:
	}
}
