// File metrics.go has the metrics of the worker. Label values are from closed sets, or,
// for functions, from the bounded set of names.

package worker

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// codeClasses is the closed set of the label code: by the first digit of the status from 1, and without one.
var codeClasses = []string{"1xx", "2xx", "3xx", "4xx", "5xx", "none"}

// Metrics of a worker.
type Metrics struct {
	labels    *Labels
	functions *functions
	attempts  *prometheus.CounterVec
	causes    *prometheus.CounterVec
	retries   *prometheus.CounterVec
	dead      *prometheus.CounterVec
	truncated *prometheus.CounterVec
	discarded *prometheus.CounterVec
	processed *prometheus.CounterVec
	outcomes  *prometheus.CounterVec
	callbacks *prometheus.CounterVec
	busiest   *busiest
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
		attempts:  vec("queue_worker_attempts_total", "Attempts by function and class of the answer's status.", "function_name", "code"),
		causes:    vec("queue_worker_attempts_unanswered_total", "Attempts without a complete answer, by cause. Callbacks are always counted as transport.", "cause"),
		retries:   vec("queue_worker_retries_total", "Scheduled retries by function.", "function_name"),
		dead:      vec("queue_worker_dead_letters_total", "Invocations that became dead letters, by function and reason.", "function_name", "reason"),
		processed: vec("queue_worker_messages_processed_total", "Finished invocations by queue.", "queue_name"),
		outcomes:  vec("queue_worker_outcomes_total", "Finished invocations by function and outcome.", "function_name", "outcome"),
		callbacks: vec("queue_worker_callbacks_total", "Finished callbacks by outcome.", "outcome"),
		discarded: vec("queue_worker_discarded_total", "Invocations that failed for good and were not kept, as dead_set or dead_set_codes says, by reason.", "reason"),
		busiest:   newBusiest(),
		truncated: vec("queue_worker_answers_truncated_total", "Answers that were cut although a callback or result_ttl wanted them whole: by max_response_bytes (limit), or for lack of room (memory).", "reason"),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "queue_worker_lateness_seconds", Help: "Seconds from when an invocation became ready to its attempt.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30, 120, 600, 3600},
		}),
	}
	m.unsettled = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "queue_worker_unsettled_total", Help: "Attempts whose outcome could not be persisted; they are repeated after a restart.",
	})
	m.functions = &functions{busiest: m.busiest, all: map[string]*function{}}
	r.MustRegister(m.busiest, m.lateness, m.unsettled)
	m.zero(queues)
	return m
}

// zero makes the closed label sets present from the start.
func (m *Metrics) zero(queues []string) {
	for _, reason := range invocation.Reasons() {
		m.dead.WithLabelValues(callbackLabel, string(reason))
		m.discarded.WithLabelValues(string(reason))
	}
	for _, cause := range invocation.Causes() {
		m.causes.WithLabelValues(string(cause))
	}
	for _, reason := range []string{cutByLimit, cutByMemory} {
		m.truncated.WithLabelValues(reason)
	}
	for _, q := range queues {
		m.processed.WithLabelValues(q)
	}
	for _, outcome := range []string{callbackDelivered, callbackDead, callbackCancelled} {
		m.callbacks.WithLabelValues(outcome)
	}
	for outcome := range callbackEnds {
		m.outcomes.WithLabelValues(callbackLabel, string(outcome))
	}
	m.functions.of(callbackLabel)
	for _, class := range codeClasses {
		m.attempts.WithLabelValues(callbackLabel, class)
	}
}

// Words of the label outcome of callbacks.
const (
	callbackDelivered = "delivered"
	callbackDead      = "dead"
	callbackCancelled = "cancelled"
)

// callbackEnds are the words that callbacks have for outcomes.
var callbackEnds = map[invocation.Outcome]string{
	invocation.OutcomeDone: callbackDelivered, invocation.OutcomeCancelled: callbackCancelled,
	invocation.OutcomeDead: callbackDead, invocation.OutcomeDropped: callbackDead,
}

// begin records that a call begins.
func (m *Metrics) begin(a *attempt) {
	m.lateness.Observe(max(a.begun.Sub(a.at.Since), 0).Seconds())
}

// settled records what came of an attempt, once that is durable.
func (m *Metrics) settled(a *attempt, st store.Settlement) {
	name := m.labels.Lane(a.inv.Lane)
	if hasAnswered(a) {
		name = m.labels.Answered(a.inv.Lane)
	}
	f := m.functions.of(name)
	if a.result.Status != 0 {
		class := codeClass(a)
		f.attempts[class].inc(m.attempts, name, codeClasses[class])
	}
	m.observe(a, f)
	if st.Outcome == invocation.OutcomeRetry {
		f.retries.inc(m.retries, name)
		return
	}
	m.ended(a.inv, st.Outcome)
	switch st.Outcome {
	case invocation.OutcomeDropped:
		m.discarded.WithLabelValues(string(a.Reason)).Inc()
	case invocation.OutcomeDead:
		m.dead.WithLabelValues(name, string(a.Reason)).Inc()
	case invocation.OutcomeDone, invocation.OutcomeRetry, invocation.OutcomeCancelled:
	}
	if a.callback != nil && a.callback.Inv.State == invocation.Dead {
		m.GivenUp(a.callback.Inv, st.Callback != nil)
	}
}

// hasAnswered reports whether the answer is surely one of a function: a gateway says
// the other statuses of functions that it does not have or cannot reach.
func hasAnswered(a *attempt) bool {
	switch a.result.Status {
	case 0, http.StatusNotFound, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return false
	}
	return a.inv.Kind == invocation.KindFunction && a.result.Cause == "" && len(a.result.Header[headerInternal]) == 0
}

// observe records the duration of a call, and why it got no answer. A sender of
// callbacks may read the metrics as well, and must not learn from them whether
// there is a listener at an address: how a callback failed, and how soon, is only in
// the log and in the dead letter.
func (m *Metrics) observe(a *attempt, f *function) {
	cause := a.result.Cause
	if cause != "" && a.inv.Kind == invocation.KindCallback {
		m.causes.WithLabelValues(string(invocation.CauseTransport)).Inc()
		return
	}
	if cause != "" {
		m.causes.WithLabelValues(string(cause)).Inc()
	}
	if a.result.Status != 0 {
		f.calls.Add(1)
		f.histogram.Load().Observe(a.result.Duration.Seconds())
	}
}

// ended counts an invocation that has finished.
func (m *Metrics) ended(inv *invocation.Invocation, outcome invocation.Outcome) {
	m.processed.WithLabelValues(inv.Lane.Queue).Inc()
	if f := m.functions.of(m.labels.Lane(inv.Lane)); outcome == invocation.OutcomeDone {
		f.done.inc(m.outcomes, f.label, string(outcome))
	} else {
		m.outcomes.WithLabelValues(f.label, string(outcome)).Inc()
	}
	if inv.Kind == invocation.KindCallback {
		m.callbacks.WithLabelValues(callbackEnds[outcome]).Inc()
	}
}

// GivenUp counts an invocation that was given up without an attempt, as one that
// was malformed when it came, and is kept in the dead set or not.
func (m *Metrics) GivenUp(inv *invocation.Invocation, kept bool) {
	if kept {
		m.ended(inv, invocation.OutcomeDead)
		m.dead.WithLabelValues(m.labels.Lane(inv.Lane), string(inv.Reason)).Inc()
		return
	}
	m.ended(inv, invocation.OutcomeDropped)
	m.discarded.WithLabelValues(string(inv.Reason)).Inc()
}

// Cancelled counts an invocation that was cancelled while it waited. The worker
// counts by itself those that were called just then.
func (m *Metrics) Cancelled(inv *invocation.Invocation) { m.ended(inv, invocation.OutcomeCancelled) }

// codeClass is the index in codeClasses.
func codeClass(a *attempt) int {
	none := len(codeClasses) - 1
	if c := a.result.Status / 100; a.result.Cause == "" && c >= 1 && c <= none {
		return c - 1
	}
	return none
}
