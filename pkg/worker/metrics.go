package worker

// What the worker tells Prometheus. Label values come from closed sets, or, for
// functions, from the bounded set of names.

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/retry"
	"queue-worker/pkg/store"
)

// codeClasses is the closed set of the label code.
var codeClasses = []string{"1xx", "2xx", "3xx", "4xx", "5xx", "none"}

// Metrics of a worker.
type Metrics struct {
	labels    *Labels
	attempts  *prometheus.CounterVec
	causes    *prometheus.CounterVec
	retries   *prometheus.CounterVec
	dead      *prometheus.CounterVec
	discarded *prometheus.CounterVec
	processed *prometheus.CounterVec
	callbacks *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	lateness  prometheus.Histogram
	unsettled prometheus.Counter
}

// NewMetrics registers the metrics. queues are those that are present at zero.
func NewMetrics(r prometheus.Registerer, labels *Labels, queues []string) *Metrics {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		r.MustRegister(v)
		return v
	}
	m := &Metrics{
		labels:    labels,
		attempts:  vec("queue_worker_attempts_total", "Calls that were made, by function and class of the answer's status.", "function_name", "code"),
		causes:    vec("queue_worker_attempts_unanswered_total", "Calls that got no whole answer, by cause.", "cause"),
		retries:   vec("queue_worker_retries_total", "Retries that were scheduled, by function.", "function_name"),
		dead:      vec("queue_worker_dead_letters_total", "Invocations that were given up, by reason.", "reason"),
		processed: vec("queue_worker_messages_processed_total", "Invocations that are over or in the dead set, by queue.", "queue_name"),
		callbacks: vec("queue_worker_callbacks_total", "Callbacks that are over, by how they ended.", "outcome"),
		discarded: vec("queue_worker_discarded_total", "Invocations that failed for good and were not kept, because dead_set or dead_set_codes says so.", "reason"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "queue_worker_attempt_seconds", Help: "Duration of calls.",
			Buckets: []float64{.001, .005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800},
		}, []string{"kind"}),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "queue_worker_lateness_seconds", Help: "Time between when an invocation could be called and its call.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30, 120, 600, 3600},
		}),
	}
	m.unsettled = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "queue_worker_unsettled_total", Help: "Calls whose outcome could not be stored; their functions are called again.",
	})
	r.MustRegister(m.duration, m.lateness, m.unsettled)
	m.zero(queues)
	return m
}

// zero makes the closed label sets present from the start.
func (m *Metrics) zero(queues []string) {
	for _, reason := range invocation.Reasons() {
		m.dead.WithLabelValues(string(reason))
		m.discarded.WithLabelValues(string(reason))
	}
	for _, cause := range invocation.Causes() {
		m.causes.WithLabelValues(string(cause))
	}
	for _, q := range queues {
		m.processed.WithLabelValues(q)
	}
	for _, outcome := range []string{callbackDelivered, callbackDead} {
		m.callbacks.WithLabelValues(outcome)
	}
	for _, kind := range []invocation.Kind{invocation.KindFunction, invocation.KindCallback} {
		m.duration.WithLabelValues(kind.String())
	}
	for _, class := range codeClasses {
		m.attempts.WithLabelValues(callbackLabel, class)
	}
}

// Words of the label outcome.
const (
	callbackDelivered = "delivered"
	callbackDead      = "dead"
)

// begin records that a call begins.
func (m *Metrics) begin(a *attempt) {
	m.lateness.Observe(max(a.begun.Sub(a.at.Since), 0).Seconds())
}

// settled records what came of an attempt, once that is durable.
func (m *Metrics) settled(a *attempt, st store.Settlement) {
	name := m.labels.Lane(a.inv.Lane)
	if a.result.Status != 0 {
		m.attempts.WithLabelValues(name, codeClass(a)).Inc()
		m.duration.WithLabelValues(a.inv.Kind.String()).Observe(a.result.Duration.Seconds())
	}
	if a.result.Cause != "" {
		m.causes.WithLabelValues(string(a.result.Cause)).Inc()
	}
	if st.Verdict == store.Later {
		m.retries.WithLabelValues(name).Inc()
		return
	}
	m.processed.WithLabelValues(a.inv.Lane.Queue).Inc()
	switch st.Verdict {
	case store.Drop:
		m.Discarded(a.Reason)
	case store.Bury:
		m.Dead(a.Reason)
	case store.Done, store.Later:
	}
	if a.inv.Kind == invocation.KindCallback {
		outcome := callbackDead
		if a.Verb == retry.Done {
			outcome = callbackDelivered
		}
		m.callbacks.WithLabelValues(outcome).Inc()
	}
	if a.callback != nil && a.callback.Inv.State == invocation.Dead {
		m.refused(a.callback.Inv, st.Callback != nil)
	}
}

// refused records a callback that was dead from the start.
func (m *Metrics) refused(c *invocation.Invocation, kept bool) {
	m.callbacks.WithLabelValues(callbackDead).Inc()
	if kept {
		m.Dead(c.Reason)
		return
	}
	m.Discarded(c.Reason)
}

// Dead counts an invocation that went to the dead set.
func (m *Metrics) Dead(r invocation.Reason) { m.dead.WithLabelValues(string(r)).Inc() }

// Discarded counts an invocation that was given up and not kept.
func (m *Metrics) Discarded(r invocation.Reason) { m.discarded.WithLabelValues(string(r)).Inc() }

func codeClass(a *attempt) string {
	if a.result.Cause != "" {
		return "none"
	}
	if c := a.result.Status / 100; c >= 1 && c <= 5 {
		return strconv.Itoa(c) + "xx"
	}
	return "none"
}
