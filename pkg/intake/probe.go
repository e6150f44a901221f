// File probe.go checks whether a NATS Streaming server is reachable, without receiving
// messages.

package intake

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go"
)

// Server is what a probe has found.
type Server struct{ Encrypted bool }

// Probe connects to a NATS Streaming server under a client id that no worker has,
// and leaves again. It subscribes to nothing. An error says what is in the way and
// what to look at. When ctx ends first, its error is returned, and the attempt ends
// by itself a few seconds later.
func Probe(ctx context.Context, url, cluster, hostname string, login Login) (Server, error) {
	id := fmt.Sprintf("faas-doctor-%s-%d", unsafe.ReplaceAllString(hostname, "_"), time.Now().UnixNano())
	type result struct {
		server Server
		err    error
	}
	done := make(chan result, 1)
	go func() { // bounded by connectWait
		server, err := probe(url, cluster, id, login)
		done <- result{server, err}
	}()
	select {
	case r := <-done:
		return r.server, r.err
	case <-ctx.Done():
		return Server{}, context.Cause(ctx)
	}
}

func probe(url, cluster, id string, login Login) (Server, error) {
	opts, err := login.options()
	if err != nil {
		return Server{}, err
	}
	opts = append(opts, nats.NoReconnect(), nats.Timeout(connectWait), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	conn, err := stan.Connect(cluster, id, stan.NatsURL(url), stan.ConnectWait(connectWait), stan.Pings(pingInterval, pingsOut), stan.NatsOptions(opts...))
	if err != nil {
		return Server{}, explain(err, cluster)
	}
	_, err = conn.NatsConn().TLSConnectionState()
	return Server{Encrypted: err == nil}, conn.Close()
}
