// File metrics.go has metrics of commits. Counts of invocations come from Stats.

package embedded

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/store"
)

// Metrics of a store. A nil *Metrics records nothing.
type Metrics struct {
	commits prometheus.Histogram
	batch   prometheus.Histogram
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "queue_worker_store_commit_seconds",
			Help:    "Seconds to make one batch durable.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12), // 0.1 ms to 2.4 s
		}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "queue_worker_store_batch_operations",
			Help:    "Operations per batch.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 6), // 1 to 1024
		}),
	}
	r.MustRegister(m.commits, m.batch)
	return m
}

func (m *Metrics) commit(d time.Duration, operations int) {
	if m == nil {
		return
	}
	m.commits.Observe(d.Seconds())
	m.batch.Observe(float64(operations))
}

// Usage asks Pebble for the size of its files; cheap enough for every scrape.
// After a failure and after Close only the free space is known.
func (s *Store) Usage() store.Usage {
	u := store.Usage{FreeBytes: s.free.Load(), LimitBytes: s.opts.MaxBytes}
	if s.enter() == nil {
		u.DiskBytes = s.db.Metrics().DiskSpaceUsage()
		s.leave()
	}
	return u
}
