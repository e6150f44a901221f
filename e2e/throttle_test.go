package e2e

// Each function is called at its own pace.

import (
	"net/http"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

func TestAFunctionThatTakesFiveAtATimeIsAskedForLittleMore(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=50ms", "max_retry_wait=1s", "max_retry_attempts=100")
	s.gateway.tell(func(asked) answer {
		if s.gateway.running > 5 { // with this one
			return status(http.StatusTooManyRequests)
		}
		return answer{Delay: 50 * time.Millisecond}
	})
	w := s.worker()
	const n = 200
	for range n {
		w.submit(t, "/async-function/fn1", "")
	}
	c := w.idle(t)
	calls := len(s.gateway.calls())
	switch {
	case c.done != n:
		t.Errorf("%d calls for %d invocations, %+v, want done %v", calls, n, c, n)
	case c.dead != 0:
		t.Errorf("%d calls for %d invocations, %+v, want dead 0", calls, n, c)
	case float64(calls) > 1.2*n:
		t.Errorf("%d calls for %d invocations, %+v, want float64(calls) at most %v", calls, n, c, 1.2*n)
	}
	t.Logf("%.2f calls each", float64(calls)/n)
}

// One slot, so that nothing is on its way when the answer comes.
func TestRetryAfterHoldsTheFunctionAndWhoHeardItGoesFirst(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_inflight=1", "initial_retry_wait=10ms")
	first := true
	s.gateway.tell(func(a asked) answer {
		if a.Function == "fn1" && first {
			first = false
			return answer{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"2"}}}
		}
		return answer{}
	})
	w := s.worker()
	retried := call("fn1", "")
	s.broker.publish(t, retried)
	w.next(t, retried, "retry")
	var waiting []*message
	for range 10 {
		waiting = append(waiting, call("fn1", ""))
	}
	other := call("fn2", "")
	s.broker.publish(t, append(waiting, other)...)
	w.next(t, other, "done") // which is held by nothing
	f := w.function(t, "fn1")
	switch {
	case f.Held == nil:
		t.Errorf("while it is held the API says %+v, want held set", f)
	case f.Ready != 10:
		t.Errorf("while it is held the API says %+v, want ready 10", f)
	}
	w.idle(t)
	calls := s.gateway.callsOf("fn1")
	switch {
	case len(calls) != 12:
		t.Fatalf("%d calls, the second one of %s, %s after the first, want 12 calls", len(calls), calls[1].callID(), calls[1].At.Sub(calls[0].Done))
	case calls[1].callID() != id(retried):
		t.Fatalf("%d calls, the second one of %s, %s after the first, want callID %v", len(calls), calls[1].callID(), calls[1].At.Sub(calls[0].Done), id(retried))
	case calls[1].At.Sub(calls[0].Done) < 2*time.Second:
		t.Fatalf("%d calls, the second one of %s, %s after the first, want calls[1].At.Sub(calls[0].Done) at least %v", len(calls), calls[1].callID(), calls[1].At.Sub(calls[0].Done), 2*time.Second)
	}
	for _, c := range calls[2:] {
		if c.retry() != 0 {
			t.Errorf("one that waited has spent %d retries, want 0", c.retry())
		}
	}
}

func TestAFunctionOutOfReachIsProbedAndItsInvocationsWait(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=10ms", "max_retry_wait=100ms")
	s.gateway.close()
	w := s.worker()
	var all []*message
	for range 40 {
		all = append(all, call("fn1", ""))
	}
	s.broker.publish(t, all...)
	w.event(t, "the breaker to open", func(e entry) bool {
		return e.text("level") == "WARN" && e.message() == "function unreachable, breaker opened" && e.text("cause") == "refused"
	})
	testkit.Eventually(t, "the API to show it", func() bool {
		b := w.function(t, "fn1").Breaker
		return b.State == "open" && b.Cause == "refused" && b.Since != "" && b.Next != ""
	})
	if open := w.metrics(t).sum("queue_worker_breaker_open", "function_name", "fn1.openfaas-fn"); open != 1 {
		t.Errorf("the metric says %g, want 1", open)
	}
	if limit := w.metrics(t).sum("queue_worker_lane_limit", "function_name", "fn1.openfaas-fn"); limit < 1 {
		t.Errorf("the metric of the limit says %g, want at least 1", limit)
	}
	s.gateway.open()
	w.event(t, "the breaker to close", func(e entry) bool { return e.message() == "function reachable, breaker closed" })
	switch c := w.idle(t); {
	case c.done != 40:
		t.Errorf("after it is back: %+v, want done 40", c)
	case c.dead != 0:
		t.Errorf("after it is back: %+v, want dead 0", c)
	}
	switch b := w.function(t, "fn1").Breaker; {
	case b.State != "closed":
		t.Errorf(`the API shows %+v, want state "closed"`, b)
	case b.Since != "":
		t.Errorf("the API shows %+v, want since empty", b)
	}
}
