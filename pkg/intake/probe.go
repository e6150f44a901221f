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

// Probe connects to a NATS Streaming server under a client id that no worker has,
// and leaves again. It subscribes to nothing. An error says what is in the way and
// what to look at. When ctx ends first, its error is returned, and the attempt ends
// by itself a few seconds later.
func Probe(ctx context.Context, url, cluster, hostname string) error {
	id := fmt.Sprintf("faas-doctor-%s-%d", unsafe.ReplaceAllString(hostname, "_"), time.Now().UnixNano())
	done := make(chan error, 1)
	go func() { done <- probe(url, cluster, id) }() // bounded by connectWait
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func probe(url, cluster, id string) error {
	conn, err := stan.Connect(cluster, id, stan.NatsURL(url), stan.ConnectWait(connectWait), stan.Pings(pingInterval, pingsOut),
		stan.NatsOptions(nats.NoReconnect(), nats.Timeout(connectWait), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})))
	if err != nil {
		return explain(err, cluster)
	}
	return conn.Close()
}
