package e2e

// Reading /metrics.

import (
	"net/http"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"queue-worker/internal/testkit"
)

// metrics are the families of one scrape.
type metrics map[string]*dto.MetricFamily

func (w *worker) metrics(t testing.TB) metrics {
	t.Helper()
	code, body := w.ask(t, http.MethodGet, "/metrics")
	if code != http.StatusOK {
		t.Fatalf("/metrics answers %d, want %d", code, http.StatusOK)
	}
	p := expfmt.NewTextParser(model.LegacyValidation)
	m, err := p.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatalf("/metrics: %v, want no error", err)
	}
	return m
}

// sum adds up the series of a metric that have all of the labels, given in pairs.
// A histogram counts its observations.
func (m metrics) sum(name string, labels ...string) float64 {
	total := 0.0
	for _, s := range m.series(name, labels...) {
		total += s.GetCounter().GetValue() + s.GetGauge().GetValue() + s.GetUntyped().GetValue() +
			float64(s.GetHistogram().GetSampleCount())
	}
	return total
}

func (m metrics) series(name string, labels ...string) []*dto.Metric {
	var found []*dto.Metric
	for _, s := range m[name].GetMetric() {
		has := map[string]string{}
		for _, l := range s.GetLabel() {
			has[l.GetName()] = l.GetValue()
		}
		fits := true
		for i := 0; i+1 < len(labels); i += 2 {
			fits = fits && has[labels[i]] == labels[i+1]
		}
		if fits {
			found = append(found, s)
		}
	}
	return found
}

// counts are what a worker says of the invocations it has.
type counts struct {
	accepted, done, dropped                     float64
	ready, delayed, inflight, dead, unaccounted float64
}

func (w *worker) counts(t testing.TB) counts {
	t.Helper()
	m := w.metrics(t)
	return counts{
		accepted: m.sum("queue_worker_accepted_total"), done: m.sum("queue_worker_done_total"), dropped: m.sum("queue_worker_dropped_total"),
		ready: m.sum("queue_worker_ready"), delayed: m.sum("queue_worker_delayed"), dead: m.sum("queue_worker_dead"),
		inflight: m.sum("queue_worker_function_invocation_inflight"), unaccounted: m.sum("queue_worker_unaccounted"),
	}
}

// pending is what is neither over nor dead.
func (c counts) pending() float64 { return c.ready + c.delayed + c.inflight }

// idle waits until nothing is pending and returns the counts.
func (w *worker) idle(t testing.TB) counts {
	t.Helper()
	var c counts
	testkit.Eventually(t, "nothing to be pending", func() bool {
		c = w.counts(t)
		return c.pending() == 0
	})
	return c
}
