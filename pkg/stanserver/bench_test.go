package stanserver

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go"
)

// BenchmarkDelivery measures how fast a worker takes a backlog.
func BenchmarkDelivery(b *testing.B) {
	s := startForBench(b)
	c, err := stan.Connect("faas-cluster", "worker", stan.NatsOptions(nats.InProcessServer(s)))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	body := bytes.Repeat([]byte("x"), 600)
	for range b.N {
		if _, err := c.PublishAsync("faas-request", body, func(string, error) {}); err != nil {
			b.Fatal(err)
		}
	}
	var seen atomic.Int64
	done := make(chan struct{})
	b.ResetTimer()
	sub, err := c.QueueSubscribe("faas-request", "faas", func(m *stan.Msg) {
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
}

// BenchmarkPublish measures how fast a gateway publishes over the listener, with as
// many confirmations outstanding as the publisher's library allows. The messages are
// as large as usual ones, and as large as the gateway's largest.
func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{600, 350_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := startForBench(b)
			c, err := stan.Connect("faas-cluster", "gateway", stan.NatsURL(s.URL()))
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			body := bytes.Repeat([]byte("x"), size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			var confirmed sync.WaitGroup
			confirmed.Add(b.N)
			b.ResetTimer()
			for range b.N {
				if _, err := c.PublishAsync("faas-request", body, func(_ string, err error) {
					if err != nil {
						b.Error(err)
					}
					confirmed.Done()
				}); err != nil {
					b.Fatal(err)
				}
			}
			confirmed.Wait()
		})
	}
}

// BenchmarkRoundTrip measures one publish at a time, as one request at the gateway has it.
func BenchmarkRoundTrip(b *testing.B) {
	s := startForBench(b)
	c, err := stan.Connect("faas-cluster", "gateway", stan.NatsURL(s.URL()))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	body := bytes.Repeat([]byte("x"), 600)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Publish("faas-request", body); err != nil {
			b.Fatal(err)
		}
	}
}

func startForBench(b *testing.B) *Server {
	b.Helper()
	s, err := Start(Options{Listen: "127.0.0.1:0", Cluster: "faas-cluster", Queues: []string{"faas-request"}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s
}
