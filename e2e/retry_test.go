package e2e

// Which calls are made again, when, and how often.

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"
)

// checkWaits fails when a retry came before it was due: each call has to begin no
// sooner than its wait after the answer to the call before it.
func checkWaits(t testing.TB, calls []asked, waits ...time.Duration) {
	t.Helper()
	for i := 1; i < len(calls); i++ {
		wait := waits[min(i, len(waits))-1]
		if gap := calls[i].At.Sub(calls[i-1].Done); gap < wait {
			t.Errorf("retry %d: got it after %s, want it after %s or more", i, gap, wait)
		}
	}
}

// retries are the numbers that the calls got.
func retries(calls []asked) []int {
	var n []int
	for _, c := range calls {
		n = append(n, c.retry())
	}
	return n
}

func TestR1_NRetriesMakeOnePlusNCalls(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=3", "initial_retry_wait=50ms")
	s.gateway.tell(always(status(http.StatusInternalServerError)))
	w := s.worker()
	m := call("fn1", "hello")
	s.broker.publish(t, m)
	w.next(t, m, "dead")
	calls := s.gateway.of(m)
	if got := retries(calls); !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("got the retry numbers %v, want 0, 1, 2, 3", got)
	}
	checkWaits(t, calls, 50*time.Millisecond, 100*time.Millisecond, 200*time.Millisecond)
	l := w.deadSet(t).only(t)
	if l.Reason != "attempts_exhausted" || l.Status != 500 || len(l.Attempts) != 4 {
		t.Errorf("got %s, want attempts_exhausted with status 500 and 4 attempts", l)
	}
}

func TestR2_ConstantBackOffWaitsTheSameEveryTime(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=3", "initial_retry_wait=1s", "backoff=constant")
	s.gateway.tell(always(status(http.StatusBadGateway)))
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "dead")
	checkWaits(t, s.gateway.of(m), time.Second)
	if got := w.plannedWaits(m); !slices.Equal(got, []string{"1s", "1s", "1s"}) {
		t.Errorf("got the waits %v, want 1s three times", got)
	}
}

// plannedWaits are the waits of a call in the log.
func (w *worker) plannedWaits(m *message) []string {
	var waits []string
	for _, e := range w.attempts() {
		if e.text("call_id") == id(m) && e.text("next") == "retry" {
			waits = append(waits, e.text("wait"))
		}
	}
	return waits
}

func TestR4_WaitsDoubleUpToTheLongest(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=4", "initial_retry_wait=500ms", "max_retry_wait=1s")
	s.gateway.tell(always(status(http.StatusServiceUnavailable)))
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "dead")
	checkWaits(t, s.gateway.of(m), 500*time.Millisecond, time.Second)
	if got := w.plannedWaits(m); !slices.Equal(got, []string{"500ms", "1s", "1s", "1s"}) {
		t.Errorf("got the waits %v, want 500ms and 1s three times", got)
	}
}

func TestTheDefaultWaitsAre10And20Seconds(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.gateway.tell(byRetry(status(http.StatusInternalServerError), status(http.StatusInternalServerError), answer{}))
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "done")
	checkWaits(t, s.gateway.of(m), 10*time.Second, 20*time.Second)
	if got := w.plannedWaits(m); !slices.Equal(got, []string{"10s", "20s"}) {
		t.Errorf("got the waits %v, want 10s and 20s", got)
	}
}

func TestR5_ThirtyRetriesAreAllMade(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=30", "initial_retry_wait=1ms", "max_retry_wait=50ms")
	s.gateway.tell(always(status(http.StatusInternalServerError)))
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "dead")
	if n := len(s.gateway.of(m)); n != 31 {
		t.Errorf("got %d calls, want 31", n)
	}
	if got := len(w.deadSet(t).only(t).Attempts); got != 31 {
		t.Errorf("got %d attempts in the dead letter, want 31", got)
	}
}

func TestR6_EachAttemptHasItsNumberAndTheSameIDs(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=5", "initial_retry_wait=10ms")
	s.gateway.tell(byRetry(status(500), status(502), status(503), answer{}))
	w := s.worker()
	m := call("fn1", "the body")
	s.broker.publish(t, m)
	w.next(t, m, "done")
	calls := s.gateway.of(m)
	if got := retries(calls); !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Fatalf("got the retry numbers %v, want 0, 1, 2, 3", got)
	}
	key := calls[0].Header.Get("Idempotency-Key")
	for i, c := range calls {
		if c.Header.Get("X-Retry-Max") != "5" {
			t.Errorf("call %d: got X-Retry-Max %q, want 5", i, c.Header.Get("X-Retry-Max"))
		}
		if k := c.Header.Get("Idempotency-Key"); k == "" || k != key {
			t.Errorf("call %d: got the Idempotency-Key %q, want that of the first, %q", i, k, key)
		}
		if string(c.Body) != "the body" {
			t.Errorf("call %d: got the body %q, want the body", i, c.Body)
		}
	}
}

func TestR7_AFunctionThatRecoversIsDoneAndNotDead(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=20ms")
	s.gateway.tell(byRetry(status(500), status(500), answer{}))
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "done")
	if n := len(s.gateway.of(m)); n != 3 {
		t.Errorf("got %d calls, want 3", n)
	}
	if c := w.idle(t); c.done != 1 || c.dead != 0 {
		t.Errorf("got %+v, want 1 done and 0 dead", c)
	}
}

func TestR8_AFunctionThatWaitsDelaysNoOtherEvenWithOneSlot(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_inflight=1", "initial_retry_wait=10s")
	s.gateway.tell(func(a asked) answer {
		if a.Function == "a" && a.retry() == 0 {
			return status(http.StatusInternalServerError)
		}
		return answer{}
	})
	w := s.worker()
	a, b := call("a", ""), call("b", "")
	s.broker.publish(t, a)
	w.next(t, a, "retry")
	s.broker.publish(t, b)
	w.next(t, b, "done")
	w.next(t, a, "done")
	first, second := s.gateway.of(a), s.gateway.of(b)
	checkWaits(t, first, 10*time.Second)
	if second[0].At.After(first[1].At) {
		t.Errorf("got b at %s, want it before the retry of a at %s", second[0].At, first[1].At)
	}
}

func TestAFunctionThatIsSlowDelaysNoOther(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_inflight=8")
	release := make(chan struct{})
	s.gateway.tell(func(a asked) answer {
		if a.Function == "slow" {
			return answer{Until: release}
		}
		return answer{}
	})
	w := s.worker()
	var slow []*message
	for range 20 {
		slow = append(slow, call("slow", ""))
	}
	quick := call("quick", "")
	s.broker.publish(t, slow...)
	s.broker.publish(t, quick)
	w.next(t, quick, "done") // although slow ones are ready before it and hold the slots that they get
	close(release)
	if c := w.idle(t); c.done != 21 {
		t.Errorf("got %+v, want 21 done", c)
	}
}

func TestR13_AFinalStatusIsDeadAfterOneCall(t *testing.T) {
	t.Parallel()
	for _, code := range []int{400, 401, 404, 422, 501, 505, 599} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			s := newStand(t, "initial_retry_wait=1ms")
			s.gateway.tell(always(status(code)))
			w := s.worker()
			m := call("fn1", "")
			s.broker.publish(t, m)
			w.next(t, m, "dead")
			if n := len(s.gateway.of(m)); n != 1 {
				t.Errorf("got %d calls, want 1", n)
			}
			if l := w.deadSet(t).only(t); l.Reason != "non_retryable" || l.Status != code {
				t.Errorf("got %s, want non_retryable with status %d", l, code)
			}
		})
	}
}

func TestRetryCodesAndDeadSetCodesAreTheOperators(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=1ms", "max_retry_attempts=1", "retry_http_codes=404,5xx,!501", "dead_set_codes=4xx")
	s.gateway.tell(func(a asked) answer {
		n, _ := strconv.Atoi(a.Function[2:])
		return status(n)
	})
	w := s.worker()
	for code, want := range map[int]struct {
		calls int
		end   string
	}{404: {2, "dead"}, 507: {2, "dead"}, 501: {1, "discarded"}, 429: {1, "dead"}, 399: {1, "done"}} {
		m := call("fn"+strconv.Itoa(code), "")
		s.broker.publish(t, m)
		w.next(t, m, want.end)
		if n := len(s.gateway.of(m)); n != want.calls {
			t.Errorf("after %d: got %d calls, want %d", code, n, want.calls)
		}
	}
	if c := w.idle(t); c.done != 1 || c.dropped != 1 || c.dead != 3 {
		t.Errorf("got %+v, want 1 done, 1 dropped and 3 dead", c)
	}
}

func TestR15_NoMoreCallsRunAtOnceThanAllowed(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_inflight=4")
	s.gateway.tell(always(answer{Delay: time.Second}))
	w := s.worker()
	for range 8 {
		s.broker.publish(t, call("fn1", ""))
	}
	s.gateway.awaitDone(t, 8)
	if n := s.gateway.mostAtOnce(); n != 4 {
		t.Errorf("got %d calls at once, want 4", n)
	}
	w.idle(t)
}

func TestRetriesCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "dead")
	calls := s.gateway.of(m)
	if len(calls) != 1 {
		t.Fatalf("got %d calls, want 1", len(calls))
	}
	if got := calls[0].Header.Get("X-Retry-Max"); got != "0" {
		t.Errorf("got X-Retry-Max %q, want 0", got)
	}
	if l := w.deadSet(t).only(t); l.Reason != "attempts_exhausted" {
		t.Errorf("got %s, want attempts_exhausted", l)
	}
}
