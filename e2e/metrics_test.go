package e2e

// What Prometheus sees.

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"queue-worker/internal/testkit"
)

// families are the metrics that are there from the start, and their types.
var families = map[string]dto.MetricType{
	// OpenFaaS's names.
	"queue_worker_pending_messages":             dto.MetricType_GAUGE,
	"queue_worker_messages_processed_total":     dto.MetricType_COUNTER,
	"queue_worker_function_invocation_inflight": dto.MetricType_GAUGE,
	"queue_worker_nats_reconnect_total":         dto.MetricType_COUNTER,
	"queue_worker_messages_submitted_total":     dto.MetricType_COUNTER,
	// The mailbox's name.
	"mailbox_queue_depth": dto.MetricType_GAUGE,
	// Ours.
	"queue_worker_build_info":                   dto.MetricType_GAUGE,
	"queue_worker_paused":                       dto.MetricType_GAUGE,
	"queue_worker_jobs":                         dto.MetricType_GAUGE,
	"queue_worker_submissions_refused_total":    dto.MetricType_COUNTER,
	"queue_worker_accepted_total":               dto.MetricType_COUNTER,
	"queue_worker_done_total":                   dto.MetricType_COUNTER,
	"queue_worker_dropped_total":                dto.MetricType_COUNTER,
	"queue_worker_unaccounted":                  dto.MetricType_GAUGE,
	"queue_worker_ready":                        dto.MetricType_GAUGE,
	"queue_worker_oldest_ready_seconds":         dto.MetricType_GAUGE,
	"queue_worker_delayed":                      dto.MetricType_GAUGE,
	"queue_worker_dead":                         dto.MetricType_GAUGE,
	"queue_worker_lane_limit":                   dto.MetricType_GAUGE,
	"queue_worker_breaker_open":                 dto.MetricType_GAUGE,
	"queue_worker_attempts_total":               dto.MetricType_COUNTER,
	"queue_worker_dead_letters_total":           dto.MetricType_COUNTER,
	"queue_worker_outcomes_total":               dto.MetricType_COUNTER,
	"queue_worker_discarded_total":              dto.MetricType_COUNTER,
	"queue_worker_callbacks_total":              dto.MetricType_COUNTER,
	"queue_worker_attempt_seconds":              dto.MetricType_HISTOGRAM,
	"queue_worker_lateness_seconds":             dto.MetricType_HISTOGRAM,
	"queue_worker_store_commit_seconds":         dto.MetricType_HISTOGRAM,
	"queue_worker_store_request_bytes":          dto.MetricType_GAUGE,
	"queue_worker_store_results":                dto.MetricType_GAUGE,
	"queue_worker_store_outcomes":               dto.MetricType_GAUGE,
	"queue_worker_store_outcomes_removed_total": dto.MetricType_COUNTER,
	"queue_worker_store_idempotency_keys":       dto.MetricType_GAUGE,
	"queue_worker_store_disk_bytes":             dto.MetricType_GAUGE,
	"queue_worker_store_limit_bytes":            dto.MetricType_GAUGE,
	"queue_worker_store_usable":                 dto.MetricType_GAUGE,
	"queue_worker_store_durable":                dto.MetricType_GAUGE,
	"queue_worker_store_info":                   dto.MetricType_GAUGE,
	"queue_worker_nats_connected":               dto.MetricType_GAUGE,
	"queue_worker_nats_received_total":          dto.MetricType_COUNTER,
	"queue_worker_nats_duplicates_total":        dto.MetricType_COUNTER,
	"queue_worker_malformed_total":              dto.MetricType_COUNTER,
	"queue_worker_nats_delays_ignored_total":    dto.MetricType_COUNTER,
	"queue_worker_nats_unsettled_messages":      dto.MetricType_GAUGE,
	"queue_worker_answers_truncated_total":      dto.MetricType_COUNTER,
	"queue_worker_answer_memory_bytes":          dto.MetricType_GAUGE,
	"queue_worker_answer_file_bytes":            dto.MetricType_GAUGE,
}

func TestEveryMetricIsThereFromTheStart(t *testing.T) {
	t.Parallel()
	m := newStand(t).worker().metrics(t)
	for name, kind := range families {
		switch f := m[name]; {
		case f == nil:
			t.Errorf("%s is missing", name)
		case f.GetType() != kind:
			t.Errorf("%s is a %s, want a %s", name, f.GetType(), kind)
		case f.GetHelp() == "":
			t.Errorf("%s has no help", name)
		}
	}
	for _, reason := range []string{"attempts_exhausted", "non_retryable", "malformed", "poison", "callback_refused", "max_age_exceeded", "function_not_found"} {
		if len(m.series("queue_worker_dead_letters_total", "reason", reason)) != 1 {
			t.Errorf("queue_worker_dead_letters_total has no reason %s, want 1", reason)
		}
	}
}

func TestO4_O5_O6_WhatHappensIsCountedByFunctionAndNothingIsLost(t *testing.T) {
	t.Parallel()
	s, target := newStand(t, "max_retry_attempts=1", "initial_retry_wait=10ms"), newStub(t)
	s.gateway.tell(func(a asked) answer {
		switch {
		case a.Function == "bad", a.Function == "flaky" && a.retry() == 0:
			return status(500)
		case a.Function == "final":
			return status(404)
		}
		return answer{}
	})
	w := s.worker()
	good, flaky, bad, final := call("good", "", withCallback(target.url())), call("flaky", ""), call("bad", ""), call("final", "")
	s.broker.publish(t, good, flaky, bad, final)
	s.broker.publishRaw(t, "not JSON")
	waiting := call("bad", "", annotated("com.openfaas.retry.min_wait", "1h"))
	s.broker.publish(t, waiting)
	w.next(t, good, "done")
	w.posted(t, good, "done")
	w.next(t, flaky, "done")
	w.next(t, bad, "dead")
	w.next(t, final, "dead")
	testkit.Eventually(t, "the malformed one to be dead", func() bool { return w.counts(t).dead == 3 })
	w.next(t, waiting, "retry")

	m := w.metrics(t)
	for _, want := range []struct {
		value float64
		name  string
		label []string
	}{
		{1, "queue_worker_attempts_total", []string{"function_name", "good.openfaas-fn", "code", "2xx"}},
		{1, "queue_worker_attempts_total", []string{"function_name", "flaky.openfaas-fn", "code", "2xx"}},
		{1, "queue_worker_attempts_total", []string{"function_name", "flaky.openfaas-fn", "code", "5xx"}},
		{1, "queue_worker_attempts_total", []string{"function_name", "final.openfaas-fn", "code", "4xx"}},
		{1, "queue_worker_attempts_total", []string{"function_name", "_url", "code", "2xx"}},
		{1, "queue_worker_retries_total", []string{"function_name", "flaky.openfaas-fn"}},
		{1, "queue_worker_dead_letters_total", []string{"reason", "attempts_exhausted"}},
		{1, "queue_worker_dead_letters_total", []string{"reason", "non_retryable"}},
		{1, "queue_worker_dead_letters_total", []string{"reason", "malformed"}},
		{1, "queue_worker_outcomes_total", []string{"function_name", "good.openfaas-fn", "outcome", "done"}},
		{1, "queue_worker_outcomes_total", []string{"function_name", "flaky.openfaas-fn", "outcome", "done"}},
		{1, "queue_worker_outcomes_total", []string{"function_name", "bad.openfaas-fn", "outcome", "dead"}},
		{1, "queue_worker_outcomes_total", []string{"function_name", "_unnamed", "outcome", "dead"}},
		{6, "queue_worker_messages_processed_total", nil}, // callback and malformed one included
		{1, "queue_worker_dead", []string{"function_name", "bad.openfaas-fn"}},
		{1, "queue_worker_dead", []string{"function_name", "final.openfaas-fn"}},
		{1, "queue_worker_callbacks_total", []string{"outcome", "delivered"}},
		{1, "queue_worker_malformed_total", []string{"queue_name", "faas-request"}},
		{6, "queue_worker_nats_received_total", []string{"queue_name", "faas-request"}},
		{6, "queue_worker_messages_submitted_total", []string{"queue_name", "faas-request"}},
		{7, "queue_worker_accepted_total", nil}, // the callback included
		{3, "queue_worker_done_total", nil},
		{1, "queue_worker_nats_connected", nil},
		{1, "queue_worker_store_durable", nil},
		{0, "queue_worker_unaccounted", nil},
	} {
		if got := m.sum(want.name, want.label...); got != want.value {
			t.Errorf("%s%v is %v, want %v", want.name, want.label, got, want.value)
		}
	}
	if n := m.sum("queue_worker_delayed", "function_name", "bad.openfaas-fn"); n != 1 {
		t.Errorf("queue_worker_delayed is %v, want 1", n)
	}
	if n := m.sum("queue_worker_pending_messages", "function_name", "bad.openfaas-fn"); n != 1 {
		t.Errorf("queue_worker_pending_messages is %v, want 1", n)
	}
	if n := m.sum("queue_worker_attempt_seconds", "kind", "function"); n < 6 {
		t.Errorf("queue_worker_attempt_seconds has %v observations, want at least 6", n)
	}
}

func TestM21_MetricsAreAtBothPaths(t *testing.T) {
	t.Parallel()
	w := newStand(t).worker()
	for _, path := range []string{"/metrics", "/_metrics"} {
		switch code, body := w.ask(t, http.MethodGet, path); {
		case code != http.StatusOK:
			t.Errorf("%s is answered %d, want code %d", path, code, http.StatusOK)
		case !strings.Contains(body, "# HELP queue_worker_"):
			t.Errorf(`%s is answered %d: got %q, want "# HELP queue_worker_" in body`, path, code, body)
		}
	}
}

func TestNoLabelIsWhatACallerWrote(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	w := s.worker()
	m := call("fn1", "CANARY", with("X-Call-Id", "CANARY-id"), with("X-Callback-Url", "http://127.0.0.1:1/CANARY?CANARY"), func(m *message) {
		m.Path, m.QueryString = "/CANARY", "CANARY"
	})
	s.broker.publish(t, m)
	w.posted(t, m, "dead")
	for name, f := range w.metrics(t) {
		for _, series := range f.GetMetric() {
			if slices.ContainsFunc(series.GetLabel(), func(l *dto.LabelPair) bool { return strings.Contains(l.GetValue(), "CANARY") }) {
				t.Errorf("%s has the labels %v", name, series.GetLabel())
			}
		}
	}
}
