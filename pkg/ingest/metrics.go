// File metrics.go counts the submissions that were refused.

package ingest

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// reasons are the closed set of the label reason.
var reasons = []wire.Reason{
	wire.BadRequest, wire.UnknownFunction, wire.TooLarge, wire.KeyReused, wire.Internal, wire.Stalled, wire.Busy, wire.StoreFull, wire.NotConnected,
}

// Metrics of submissions. A nil *Metrics counts nothing.
type Metrics struct{ refused *prometheus.CounterVec }

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "queue_worker_submissions_refused_total", Help: "Submissions over HTTP that were not accepted, by the reason in the answer.",
	}, []string{"reason"})}
	r.MustRegister(m.refused)
	for _, reason := range reasons {
		m.refused.WithLabelValues(string(reason))
	}
	return m
}

// count counts the answer to a submission that was not accepted.
func (m *Metrics) count(err error) {
	if m == nil || err == nil {
		return
	}
	reason := wire.Internal
	if p, ok := errors.AsType[*respond.Problem](err); ok {
		reason = p.Reason
	}
	m.refused.WithLabelValues(string(reason)).Inc()
}
