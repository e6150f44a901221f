// File collector.go has gauges that are read when Prometheus scrapes.

package worker

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Collector counts by lane what is stored and in flight. See store.Collector for the rest.
type Collector struct {
	store  store.Counts
	lanes  *Lanes
	labels *Labels
	queues []string
}

// NewCollector makes a collector; the caller registers it. queues are those
// that are present at zero.
func NewCollector(s store.Counts, l *Lanes, labels *Labels, queues []string) *Collector {
	return &Collector{store: s, lanes: l, labels: labels, queues: queues}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("queue_worker_"+name, help, labels, nil)
}

var (
	descPending  = desc("pending_messages", "Pending invocations: ready, delayed or in flight.", "queue_name", "function_name")
	descInflight = desc("function_invocation_inflight", "Invocations in flight.", "queue_name", "function_name")
	descReady    = desc("ready", "Ready invocations that are not in flight.", "queue_name", "function_name")
	descOldest   = desc("oldest_ready_seconds", "Age in seconds of the oldest ready invocation, or 0.", "queue_name", "function_name")
	descDelayed  = desc("delayed", "Delayed invocations.", "queue_name", "function_name")
	descDead     = desc("dead", "Invocations in the dead set.", "queue_name", "function_name")
	descLimiter  = desc("lane_limit", "Adaptive concurrency limit of the function in calls; the sum, for functions that share a label.", "queue_name", "function_name")
	descPaused   = desc("paused", "Functions that an operator paused; for callbacks, hosts.", "function_name")
	descBreaker  = desc("breaker_open", "Functions whose breaker is open or half-open.", "queue_name", "function_name")
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descPending, descInflight, descReady, descOldest, descDelayed, descDead, descLimiter, descBreaker, descPaused,
	} {
		ch <- d
	}
}

// series is one pair of labels and what it counts.
type series struct{ queue, function string }

type level struct {
	ready, delayed, dead, inflight int
	oldest                         time.Duration
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for s, n := range c.levels() {
		gauge(descPending, float64(n.ready+n.delayed), s.queue, s.function)
		gauge(descInflight, float64(n.inflight), s.queue, s.function)
		gauge(descReady, float64(n.ready), s.queue, s.function)
		gauge(descOldest, n.oldest.Seconds(), s.queue, s.function)
		gauge(descDelayed, float64(n.delayed), s.queue, s.function)
		gauge(descDead, float64(n.dead), s.queue, s.function)
	}
	for function, n := range c.paused() {
		gauge(descPaused, float64(n), function)
	}
	for s, n := range c.throttles() {
		gauge(descLimiter, float64(n.limit), s.queue, s.function)
		gauge(descBreaker, float64(n.open), s.queue, s.function)
	}
}

// levels adds up the lanes by their labels. Lanes beyond the bounded set of
// labels share one series.
func (c *Collector) levels() map[series]level {
	m := map[series]level{}
	for _, q := range c.queues {
		m[series{q, callbackLabel}] = level{}
	}
	key := func(l invocation.Lane) series { return series{l.Queue, c.labels.Lane(l)} }
	waiting, lanes := c.lanes.Waiting(), c.store.Lanes()
	now := time.Now()
	for l, n := range lanes {
		s := m[key(l)]
		s.ready += n.Ready
		s.oldest = max(s.oldest, now.Sub(c.since(l, waiting, now)))
		s.delayed += n.Delayed
		s.dead += n.Dead
		m[key(l)] = s
	}
	c.addRest(m, lanes, waiting, now)
	for l, n := range c.lanes.InFlight() {
		s, ready := m[key(l)], key(l)
		s.inflight += n
		m[key(l)] = s
		if _, counted := lanes[l]; !counted {
			ready.function = otherLabel
		}
		if s, ok := m[ready]; ok { // the store counts them as ready
			s.ready = max(s.ready-n, 0)
			m[ready] = s
		}
	}
	return m
}

// addRest adds what the store does not count lane by lane. The oldest is that of the
// lanes which are in memory.
func (c *Collector) addRest(m map[series]level, lanes map[invocation.Lane]store.LaneStats, waiting map[invocation.Lane]time.Time, now time.Time) {
	rest := c.store.Rest()
	for queue, n := range rest {
		s := m[series{queue, otherLabel}]
		s.ready += n.Ready
		s.delayed += n.Delayed
		s.dead += n.Dead
		m[series{queue, otherLabel}] = s
	}
	for l, since := range waiting {
		if _, counted := lanes[l]; counted || rest[l.Queue] == (store.LaneStats{}) || since.IsZero() {
			continue
		}
		s := m[series{l.Queue, otherLabel}]
		s.oldest = max(s.oldest, now.Sub(since))
		m[series{l.Queue, otherLabel}] = s
	}
}

// paused counts the paused lanes by label.
func (c *Collector) paused() map[string]int {
	m := map[string]int{callbackLabel: 0}
	for _, name := range c.lanes.PausedNames() {
		m[c.labels.Lane(invocation.Lane{Name: name})]++
	}
	return m
}

// held is what holds the lanes of one label back.
type held struct{ limit, open int }

// throttles adds up what holds the lanes back that were called lately.
func (c *Collector) throttles() map[series]held {
	m := map[series]held{}
	for _, q := range c.queues {
		m[series{q, callbackLabel}] = held{}
	}
	for l, t := range c.lanes.Throttles() {
		key := series{l.Queue, c.labels.Lane(l)}
		n := m[key]
		n.limit += t.Limit
		if t.Breaker.Open {
			n.open++
		}
		m[key] = n
	}
	return m
}

// since returns when the first entry of a lane became ready that is not in flight;
// now when there is none. Where the lane does not know, because it has not read
// the index so far, the store answers, those in flight included.
func (c *Collector) since(l invocation.Lane, waiting map[invocation.Lane]time.Time, now time.Time) time.Time {
	since, is := waiting[l]
	if is && since.IsZero() {
		since, is = c.store.Oldest(context.Background(), l)
	}
	if !is {
		return now
	}
	return since
}
