// Helpers of the tests: a stand and a NATS Streaming server that really run.

package dev

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go"

	"queue-worker/pkg/stanserver"
)

const (
	testCluster = "faas-cluster"
	testChannel = "faas-request"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// startStand starts a stand on free ports. change may be nil.
func startStand(t *testing.T, change func(*Options)) *Stand {
	t.Helper()
	o := Options{
		Gateway:   "127.0.0.1:0",
		Chaos:     "127.0.0.1:0",
		Namespace: "openfaas-fn",
		Queue:     Queue{Address: "127.0.0.1", Port: 1, Cluster: testCluster, Channel: testChannel},
		Logger:    discard(),
	}
	if change != nil {
		change(&o)
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// freePort is a port without a listener.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// startServer runs NATS Streaming on port; dir "" keeps everything in memory.
func startServer(t *testing.T, port int, dir string) *stanserver.Server {
	t.Helper()
	s, err := stanserver.Start(stanserver.Options{Listen: fmt.Sprintf("127.0.0.1:%d", port), Cluster: testCluster, Queues: []string{testChannel}, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// receive subscribes to the channel from its beginning and hands over messages.
func receive(t *testing.T, server *stanserver.Server) <-chan []byte {
	t.Helper()
	c, err := stan.Connect(testCluster, "test-"+strconv.FormatInt(time.Now().UnixNano(), 36), stan.NatsOptions(nats.InProcessServer(server)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	got := make(chan []byte, 100)
	_, err = c.Subscribe(testChannel, func(m *stan.Msg) { got <- m.Data }, stan.DeliverAllAvailable())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// reply is what came back for a request.
type reply struct {
	status int
	body   string
	header http.Header
}

// do sends a request. Headers are given as "Name: value".
func do(t *testing.T, method string, base *url.URL, target, body string, header ...string) (reply, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, base.String()+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range header {
		k, v, _ := strings.Cut(h, ": ")
		req.Header.Add(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, string(b), res.Header}, err
}

// must sends a request that has to be answered.
func must(t *testing.T, method string, base *url.URL, target, body string, header ...string) reply {
	t.Helper()
	r, err := do(t, method, base, target, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
