package intake

import (
	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/invocation"
)

// Metrics are the intake's. Every series is there from the start, at zero.
type Metrics struct {
	received   *prometheus.CounterVec
	submitted  *prometheus.CounterVec
	duplicates *prometheus.CounterVec
	malformed  *prometheus.CounterVec
	ignored    *prometheus.CounterVec
	refused    prometheus.Counter
	discarded  prometheus.Counter
	ackErrors  prometheus.Counter
	reconnects prometheus.Counter
	connected  prometheus.Gauge
	resting    prometheus.Gauge
	unsettled  prometheus.Gauge
	bytes      prometheus.Gauge
	parked     prometheus.Gauge
}

// NewMetrics registers the metrics for a fixed list of queues. It panics when
// they are registered already, which is a programmer's mistake.
func NewMetrics(r prometheus.Registerer, queues []string) *Metrics {
	m := &Metrics{
		received:   newVec("queue_worker_nats_received_total", "Messages received from NATS Streaming, redeliveries not counted."),
		submitted:  newVec("queue_worker_messages_submitted_total", "Messages accepted, by queue."),
		duplicates: newVec("queue_worker_nats_duplicates_total", "Redelivered messages of invocations in flight, stored or settled; they are ignored."),
		malformed:  newVec("queue_worker_malformed_total", "Messages that could not be decoded or named no usable function; they become dead letters."),
		ignored: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "queue_worker_nats_delays_ignored_total", Help: "Messages whose delay was not honoured, by reason; they are called at once.",
		}, []string{"queue_name", "reason"}),
		refused:    newCounter("queue_worker_nats_refused_total", "Messages that the store did not accept; they stay unacked and are fetched again."),
		discarded:  newCounter("queue_worker_nats_discarded_total", "Messages that NATS Streaming removed at its own limits before the worker could accept them."),
		ackErrors:  newCounter("queue_worker_nats_ack_errors_total", "Acks that could not be sent; those messages are redelivered and ignored."),
		reconnects: newCounter("queue_worker_nats_reconnect_total", "Reconnections to NATS Streaming."),
		connected:  newGauge("queue_worker_nats_connected", "Connection to NATS Streaming with its subscriptions: 1 or 0."),
		resting:    newGauge("queue_worker_intake_resting", "Intake paused for lack of room: 1 or 0."),
		unsettled:  newGauge("queue_worker_nats_unsettled_messages", "Messages received and not acked yet."),
		bytes:      newGauge("queue_worker_nats_unsettled_bytes", "Bytes of the messages received and not acked yet."),
		parked:     newGauge("queue_worker_nats_parked_messages", "Messages delivered while there was no room; NATS Streaming keeps them until they are fetched again."),
	}
	r.MustRegister(m.received, m.submitted, m.duplicates, m.malformed, m.ignored, m.refused, m.discarded, m.ackErrors,
		m.reconnects, m.connected, m.resting, m.unsettled, m.bytes, m.parked)
	for _, q := range queues {
		m.received.WithLabelValues(q)
		m.submitted.WithLabelValues(q)
		m.duplicates.WithLabelValues(q)
		m.malformed.WithLabelValues(q)
		for _, reason := range invocation.DelaysIgnored() {
			m.ignored.WithLabelValues(q, string(reason))
		}
	}
	return m
}

// Submitted counts submissions to a queue over HTTP.
func (m *Metrics) Submitted(queue string) { m.submitted.WithLabelValues(queue).Inc() }

func newVec(name, help string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"queue_name"})
}

func newCounter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func newGauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}
