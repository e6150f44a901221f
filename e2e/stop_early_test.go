package e2e

// Calls that are of no use are not made.

import (
	"net/http"
	"testing"
	"time"
)

func TestAFunctionThatRefusesRetriesIsNotCalledAgain(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=10ms", "max_retry_attempts=2", "retry_http_codes=4xx,5xx")
	w := s.worker()
	refused := answer{Status: 503, Header: http.Header{"X-No-Retry": {"true"}}}
	for _, tt := range []struct {
		name   string
		answer answer
		calls  int
		reason string
	}{
		{"X-No-Retry: true", refused, 1, "non_retryable"},
		{"X-No-Retry: no", answer{Status: 503, Header: http.Header{"X-No-Retry": {"no"}}}, 3, "attempts_exhausted"},
		{"410", status(http.StatusGone), 1, "non_retryable"},
		{"429", status(http.StatusTooManyRequests), 3, "attempts_exhausted"},
	} {
		s.gateway.tell(always(tt.answer))
		m := call("fn1", "")
		s.broker.publish(t, m)
		end := w.next(t, m, "dead")
		switch n := len(s.gateway.of(m)); {
		case n != tt.calls:
			t.Errorf("%s: %d calls, dead of %s, want %v", tt.name, n, end.text("reason"), tt.calls)
		case end.text("reason") != tt.reason:
			t.Errorf(`%s: %d calls, dead of %s, want reason %v`, tt.name, n, end.text("reason"), tt.reason)
		}
	}
}

func TestAnUnknownFunctionIsRetriedForAShortGrace(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=200ms", "unknown_function_grace=2s")
	s.gateway.deploys(status(http.StatusNotFound), "there")
	w := s.worker()

	gone, bare := call("gone", ""), call("there", "")
	s.broker.publish(t, gone, bare)
	switch end := w.next(t, bare, "dead"); {
	case end.text("reason") != "non_retryable":
		t.Errorf(`a 404 of a function that is there: dead of %s after %d calls, want reason "non_retryable"`, end.text("reason"), len(s.gateway.of(bare)))
	case len(s.gateway.of(bare)) != 1:
		t.Errorf("a 404 of a function that is there: dead of %s after %d calls, want 1", end.text("reason"), len(s.gateway.of(bare)))
	}
	if end := w.next(t, gone, "dead"); end.text("reason") != "function_not_found" {
		t.Errorf(`a function that is not there: dead of %s, want "function_not_found"`, end.text("reason"))
	}
	for _, l := range w.deadSet(t) {
		if l.Reason != "function_not_found" {
			continue
		}
		// By the worker's own clock: when a call arrives depends on the machine.
		calls := l.Attempts
		if took := calls[len(calls)-1].At.Sub(calls[0].At); len(calls) < 3 || took < 2*time.Second || len(s.gateway.of(gone)) != len(calls) {
			t.Errorf("%d calls within %s, want several within the grace and one at its end", len(calls), took)
		}
	}
	if m := w.metrics(t); m.sum("queue_worker_dead_letters_total", "reason", "function_not_found") != 1 {
		t.Error(`the metric does not count it, want m.sum("queue_worker_dead_letters_total", "reason", "function_not_found") 1`)
	}
	switch code, body := w.ask(t, http.MethodGet, "/v1/dead_set?reason=function_not_found"); {
	case code != http.StatusOK:
		t.Errorf("the dead set by its reason is answered %d %s, want code %d", code, body, http.StatusOK)
	case len(w.deadSet(t)) != 2:
		t.Errorf("the dead set by its reason is answered %d %s, want 2", code, body)
	}

	late := call("late", "")
	s.broker.publish(t, late)
	w.next(t, late, "retry")
	s.gateway.deploys(answer{}, "late")
	w.next(t, late, "done")

	s.gateway.know(always(status(http.StatusUnauthorized)))
	s.gateway.tell(always(status(http.StatusNotFound)))
	unsure := call("unsure", "")
	s.broker.publish(t, unsure)
	switch end := w.next(t, unsure, "dead"); {
	case end.text("reason") != "non_retryable":
		t.Errorf(`a 404 without more information: dead of %s after %d calls, want reason "non_retryable"`, end.text("reason"), len(s.gateway.of(unsure)))
	case len(s.gateway.of(unsure)) != 1:
		t.Errorf("a 404 without more information: dead of %s after %d calls, want 1", end.text("reason"), len(s.gateway.of(unsure)))
	}
}
