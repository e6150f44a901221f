package intake

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/stan.go"
	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/store/embedded"
)

// BenchmarkIntake measures how fast a backlog goes from NATS Streaming in memory
// into a store on disk, every commit synced and every message acked.
func BenchmarkIntake(b *testing.B) {
	ns := startNATS(b, "", "")
	c, err := stan.Connect(cluster, "publisher", stan.NatsURL(ns.URL()))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	raw := fmt.Appendf(nil, `{"Header":{"X-Call-Id":["eb8283f5-1679-48e0-afec-194544b054aa"]},"Host":"h","Body":"%s","Method":"POST","Path":"/v1/job","QueryString":"user=1","Function":"chaos.openfaas-fn"}`, bytes.Repeat([]byte("aGVsbG8h"), 43))
	for _, way := range []string{"tcp", "in process"} {
		b.Run(way, func(b *testing.B) {
			s, err := embedded.Open(embedded.Options{Dir: b.TempDir(), Slots: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			o := Options{URL: ns.URL(), Cluster: cluster, Channels: []string{fmt.Sprint(way[:2], b.N)}, Group: "g", Hostname: "h", Store: s, CheckURL: checkURL}
			if way != "tcp" {
				o.Embedded = ns.nats
			}
			o.Metrics = NewMetrics(prometheus.NewRegistry(), o.Channels)
			for range b.N {
				if _, err := c.PublishAsync(o.Channels[0], raw, func(string, error) {}); err != nil {
					b.Fatal(err)
				}
			}
			in, err := New(o)
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			b.ReportAllocs()
			b.ResetTimer()
			go func() { ended <- in.Run(ctx) }()
			for value(in.opts.Metrics.received.WithLabelValues(o.Channels[0])) < float64(b.N) {
				time.Sleep(time.Millisecond)
			}
			for !in.book.isIdle() {
				time.Sleep(time.Millisecond)
			}
			b.StopTimer()
			cancel()
			<-ended
			_ = in.Close()
		})
	}
}
