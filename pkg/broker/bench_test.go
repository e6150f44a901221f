package broker

import (
	"bytes"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go"
)

// BenchmarkDelivery measures how fast a worker takes a backlog, over the listener
// and in the process. It decides how the worker connects to its own door.
func BenchmarkDelivery(b *testing.B) {
	for _, way := range []string{"tcp", "in process"} {
		b.Run(way, func(b *testing.B) {
			s, err := Start(Options{Listen: "127.0.0.1:0", Cluster: "faas-cluster"})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			opts := []nats.Option{}
			if way != "tcp" {
				opts = append(opts, nats.InProcessServer(s))
			}
			c, err := stan.Connect("faas-cluster", "worker", stan.NatsURL(s.URL()), stan.NatsOptions(opts...))
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			body := bytes.Repeat([]byte("x"), 600)
			for range b.N {
				if _, err := c.PublishAsync("q", body, func(string, error) {}); err != nil {
					b.Fatal(err)
				}
			}
			var seen atomic.Int64
			done := make(chan struct{})
			b.ResetTimer()
			sub, err := c.QueueSubscribe("q", "faas", func(m *stan.Msg) {
				_ = m.Ack()
				if seen.Add(1) == int64(b.N) {
					close(done)
				}
			}, stan.SetManualAckMode(), stan.DeliverAllAvailable(), stan.MaxInflight(1024))
			if err != nil {
				b.Fatal(err)
			}
			<-done
			b.StopTimer()
			_ = sub.Close()
		})
	}
}
