// File collector.go has the metrics of a store, which are read when Prometheus scrapes.

package store

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// Counted is what a Collector reads.
type Counted interface {
	Counts
	Condition
	Portable
}

// Collector reads the metrics of a store. Those of its lanes are in pkg/worker, beside what
// only a worker knows of them.
type Collector struct {
	store    Counted
	identity string
}

var _ prometheus.Collector = (*Collector)(nil)

// NewCollector makes a collector; the caller registers it.
func NewCollector(s Counted) *Collector {
	identity, _ := Identity(context.Background(), s) // from memory; without it the label is that of no secret
	return &Collector{s, identity[:8]}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	descAccepted = desc("queue_worker_accepted_total", "Invocations accepted since the start, callbacks included.")
	descDone     = desc("queue_worker_done_total", "Invocations with outcome done since the start, callbacks included.")
	descDropped  = desc("queue_worker_dropped_total", "Invocations that were discarded, cancelled, dropped or removed by a bound of the dead set since the start.")
	descStale    = desc("queue_worker_callbacks_superseded_total", "Pending callbacks that were cancelled since the start, because their invocation was replayed.")
	descLost     = desc("queue_worker_unaccounted", "Accepted minus stored minus finished invocations. Anything but 0 is a bug.")
	descBytes    = desc("queue_worker_store_request_bytes", "Bytes of stored requests by state, of kept results and of remembered outcomes.", "state")
	descResults  = desc("queue_worker_store_results", "Stored results of finished invocations, kept for result_ttl.")
	descEnds     = desc("queue_worker_store_outcomes", "Outcomes of finished invocations that are remembered, for outcome_ttl.")
	descRemoved  = desc("queue_worker_store_outcomes_removed_total", "Outcomes that outcome_max_bytes has removed before outcome_ttl, since the start.")
	descKeys     = desc("queue_worker_store_idempotency_keys", "Stored idempotency keys, expired ones that are not removed yet included.")
	descDisk     = desc("queue_worker_store_disk_bytes", "Size in bytes of the store's files.")
	descFree     = desc("queue_worker_store_free_bytes", "Free bytes on the store's volume, or 0 when unknown.")
	descLimit    = desc("queue_worker_store_limit_bytes", "store_max_bytes: bytes of stored requests at which the intake is paused, or 0 without a bound.")
	descUsable   = desc("queue_worker_store_usable", "Usability of the store: 1, or 0 while the disk is full, stalled or has failed; no new calls start then.")
	descInfo     = desc("queue_worker_store_info", "Always 1. Workers with the same label store share a store, and each of them counts all that is in it.", "store")
	descDurable  = desc("queue_worker_store_durable", "Durability of the store: 1 with data_dir, 0 when it is lost with the process.")
	// descMailbox has the name that the mailbox's own program gave it.
	descMailbox = desc("mailbox_queue_depth", "Unfinished deliveries of the mailbox.")
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descAccepted, descDone, descDropped, descStale, descLost, descBytes, descResults, descEnds, descRemoved, descKeys, descDisk, descFree, descLimit, descUsable, descDurable, descInfo,
		descMailbox,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	t := c.store.Stats()
	counter(descAccepted, t.Accepted)
	counter(descDone, t.Done)
	counter(descDropped, t.Dropped)
	counter(descStale, t.Superseded)
	gauge(descLost, float64(t.Difference()))
	gauge(descBytes, float64(t.Bytes-t.DeadBytes), "pending")
	gauge(descBytes, float64(t.DeadBytes), "dead")
	gauge(descBytes, float64(t.ResultBytes), "results")
	gauge(descResults, float64(t.Results))
	gauge(descBytes, float64(t.EndBytes), "outcomes")
	gauge(descEnds, float64(t.Ends))
	counter(descRemoved, t.EndsRemoved)
	gauge(descKeys, float64(t.Keys))
	gauge(descMailbox, float64(t.Mailbox))
	u := c.store.Usage()
	gauge(descDisk, float64(u.DiskBytes))
	if !u.IsRemote { // an alert compares it with what is used
		gauge(descFree, float64(u.FreeBytes))
	}
	gauge(descLimit, float64(u.LimitBytes))
	gauge(descUsable, flag(c.store.Err() == nil))
	gauge(descDurable, flag(c.store.Durable()))
	gauge(descInfo, 1, c.identity)
}

// flag is the value of a metric that reads as a claim.
func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
