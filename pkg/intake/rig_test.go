package intake

// The stand of the tests: a real server, a real store, and what is published by
// the code that gateways use.

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go"
	"github.com/openfaas/faas-provider/types"
	"github.com/openfaas/nats-queue-worker/handler"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"queue-worker/internal/testkit"
	"queue-worker/pkg/egress"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/stanserver"
)

const (
	cluster = "faas-cluster"
	channel = "faas-request"
	// patience bounds every wait for something that must happen; no result depends on it.
	patience = 30 * time.Second
)

// startNATS opens a server. With listen "" it takes a free port.
func startNATS(t testing.TB, listen, dir string) *stanServer {
	t.Helper()
	return startServer(t, listen, dir, nil)
}

func address(s *stanServer) string { return strings.TrimPrefix(s.URL(), "nats://") }

// restart closes a server and opens another at the same place.
func restart(t *testing.T, s *stanServer, dir string) *stanServer {
	t.Helper()
	s.Close()
	return startNATS(t, address(s), dir)
}

// startEmbedded opens embedded NATS Streaming, which lets others only publish.
func startEmbedded(t *testing.T) *stanserver.Server {
	t.Helper()
	s, err := stanserver.Start(stanserver.Options{Listen: "127.0.0.1:0", Cluster: cluster, Queues: []string{channel}, WorkerPrefix: ClientIDPrefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// rig is an intake that runs.
type rig struct {
	*Intake
	store *recorder
	log   *testkit.Log
	stop  context.CancelFunc
	ended chan error
	once  sync.Once
	conn  stan.Conn
}

func (r *rig) close(t *testing.T) {
	t.Helper()
	r.once.Do(func() {
		r.stop()
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil && r.Connected() {
			t.Error(err)
		}
	})
}

func options(s *recorder, url string) Options {
	return Options{
		URL: url, Cluster: cluster, Channels: []string{channel}, Group: "faas", Hostname: "host.local",
		AckWait: time.Minute, MaxUnsettled: 10_000, MaxUnsettledBytes: 64 << 20,
		Names: invocation.Names{DefaultNamespace: "openfaas-fn"}, Store: s, CheckURL: checkURL,
		tick: 20 * time.Millisecond,
	}
}

// run starts an intake and waits until it is connected.
func run(t *testing.T, s *recorder, url string, change ...func(*Options)) *rig {
	t.Helper()
	r := start(t, s, url, change...)
	r.until(t, "a connection", r.Connected)
	return r
}

func start(t *testing.T, s *recorder, url string, change ...func(*Options)) *rig {
	t.Helper()
	o := options(s, url)
	r := &rig{store: s, log: &testkit.Log{}, ended: make(chan error, 1)}
	o.Logger = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, c := range change {
		c(&o)
	}
	o.Metrics = NewMetrics(prometheus.NewRegistry(), o.Channels)
	in, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Intake = in
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	go func() { r.ended <- in.Run(ctx) }()
	t.Cleanup(func() {
		r.close(t)
		if t.Failed() {
			t.Logf("log of the intake:\n%s", r.log.String())
		}
	})
	return r
}

// until polls for a state that nothing announces.
func (r *rig) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	testkit.Eventually(t, what, is)
}

// idle waits until everything taken is acked.
func (r *rig) idle(t *testing.T) {
	t.Helper()
	r.until(t, "all acks", r.book.isIdle)
}

// publisher publishes any bytes, on the rig's server.
func (r *rig) publisher(t *testing.T) stan.Conn {
	t.Helper()
	if r.conn == nil {
		r.conn = publisher(t, r.opts.URL)
	}
	return r.conn
}

// value reads a counter or a gauge.
func value(m prometheus.Metric) float64 {
	var d dto.Metric
	if err := m.Write(&d); err != nil {
		panic(err)
	}
	return d.GetCounter().GetValue() + d.GetGauge().GetValue()
}

func (r *rig) holds() int { return r.book.load().count }

// duplicates counts what came again. The server may also send a message twice that
// is published while the subscription starts, so it is only good as a lower bound.
func (r *rig) duplicates() float64 {
	return value(r.opts.Metrics.duplicates.WithLabelValues(channel))
}

// gateway publishes as the Community gateway does.
func gateway(t *testing.T, url, name string) *handler.NATSQueue {
	t.Helper()
	host, port, err := net.SplitHostPort(strings.TrimPrefix(url, "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	q, err := handler.CreateNATSQueue(host, p, cluster, channel, gatewayConfig(name))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

type gatewayConfig string

func (c gatewayConfig) GetClientID() string            { return "faas-publisher-" + string(c) }
func (gatewayConfig) GetMaxReconnect() int             { return 0 }
func (gatewayConfig) GetReconnectDelay() time.Duration { return 0 }

func call(id string) *types.QueueRequest {
	return &types.QueueRequest{
		Header: map[string][]string{"X-Call-Id": {id}}, Function: "figlet.openfaas-fn", Method: "POST", Body: []byte("hello"),
	}
}

func queue(t *testing.T, q *handler.NATSQueue, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := q.Queue(call(id)); err != nil {
			t.Fatal(err)
		}
	}
}

var publishers atomic.Int64 // so that each has a client id of its own

// publisher publishes any bytes.
func publisher(t *testing.T, url string, opts ...nats.Option) stan.Conn {
	t.Helper()
	c, err := stan.Connect(cluster, fmt.Sprintf("publisher-%d", publishers.Add(1)), stan.NatsURL(url), stan.NatsOptions(opts...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func publish(t *testing.T, c stan.Conn, channel string, raw ...[]byte) {
	t.Helper()
	for _, b := range raw {
		if err := c.Publish(channel, b); err != nil {
			t.Fatal(err)
		}
	}
}

func ids(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s-%d", prefix, i)
	}
	return all
}

func wireFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkURL is the check of callback URLs that a worker has.
func checkURL(raw string) (*url.URL, error) {
	g, err := egress.New(egress.Options{Level: egress.Guarded})
	if err != nil {
		return nil, err
	}
	return g.CheckURL(raw)
}
