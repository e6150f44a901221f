package e2e

// What stands around the worker goes away and comes back.

import (
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

// modes are the two ways to keep invocations.
var modes = map[string]string{"with data_dir": "", "without data_dir": "data_dir="}

// inBothModes runs a test with a durable store and without one.
func inBothModes(t *testing.T, f func(t *testing.T, mode string)) {
	for name, setting := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, setting)
		})
	}
}

func TestTheGatewayGoesDownAndComesBack(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, "initial_retry_wait=100ms", "max_retry_wait=500ms", "max_retry_attempts=1000", mode)
		s.gateway.close()
		w := s.worker()
		a, b := call("fn1", "a"), call("fn2", "b")
		s.broker.publish(t, a, b)
		for _, m := range []*message{a, b} {
			if e := w.next(t, m, "retry"); e.text("cause") != "refused" {
				t.Errorf(`a call of a gateway that is down came to %v, want cause "refused"`, e)
			}
		}
		s.gateway.open()
		w.next(t, a, "done")
		w.next(t, b, "done")
		if n := len(s.gateway.all()); n != 2 {
			t.Errorf("there were %d calls after the gateway was back, want 2", n)
		}
		w.idle(t)
	})
}

func TestAGatewayThatDiesDuringACallIsCalledAgain(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=100ms", "max_retry_wait=500ms", "max_retry_attempts=1000")
	s.gateway.tell(always(answer{Delay: time.Hour}))
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	s.gateway.await(t, 1)
	s.gateway.close()
	if e := w.next(t, m, "retry"); e.text("cause") != "reset" {
		t.Errorf(`the call came to %v, want cause "reset"`, e)
	}
	s.gateway.tell(always(answer{}))
	s.gateway.open()
	w.next(t, m, "done")
}

func TestR12_NATSStreamingIsKilledAndComesBackOnItsFiles(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, "initial_retry_wait=200ms", mode)
		release := make(chan struct{})
		s.gateway.tell(func(a asked) answer {
			switch {
			case a.Function == "slow":
				return answer{Until: release}
			case a.Function == "failing" && a.retry() < 3:
				return status(http.StatusInternalServerError)
			}
			return answer{}
		})
		w := s.worker()
		slow, failing := call("slow", ""), call("failing", "")
		s.broker.publish(t, slow, failing)
		s.gateway.awaitThat(t, "the slow call", func(all []asked) bool {
			return slices.ContainsFunc(all, func(a asked) bool { return a.Function == "slow" })
		})
		w.next(t, failing, "retry")

		s.broker.kill()
		w.unready(t, "NATS Streaming")
		s.broker.publisher = nil // the old connection takes its time to notice
		if s.broker.try(call("lost", "")) == nil {
			t.Error(`a call was taken although NATS Streaming was down, want s.broker.try(call("lost", "")) set`)
		}
		w.next(t, failing, "done") // accepted invocations continue
		close(release)
		w.next(t, slow, "done")

		s.broker.start(t)
		w.ready(t)
		after := call("after", "")
		s.broker.publish(t, after)
		w.next(t, after, "done")
		w.idle(t)
		checkCalled(t, s, map[*message]int{slow: 1, failing: 4, after: 1})
		if n := w.metrics(t).sum("queue_worker_nats_reconnect_total"); n < 1 {
			t.Errorf("queue_worker_nats_reconnect_total is %v, want at least 1", n)
		}
	})
}

// unready waits until the worker says that it is not ready, and why.
func (w *worker) unready(t testing.TB, why string) {
	t.Helper()
	testkit.Eventually(t, "the worker to be not ready because of "+why, func() bool {
		code, body, err := try(http.MethodGet, w.base+"/readyz")
		return err == nil && code == http.StatusServiceUnavailable && strings.Contains(body, why)
	})
	if code, body := w.ask(t, http.MethodGet, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz answers %d %s, though no restart of the worker would help, want %d", code, body, http.StatusOK)
	}
}

// checkCalled compares how often each message was called.
func checkCalled(t testing.TB, s *stand, want map[*message]int) {
	t.Helper()
	for m, n := range want {
		if got := len(s.gateway.of(m)); got != n {
			t.Errorf("%s was called %d times, want %d", m.Function, got, n)
		}
	}
}

func TestWhatNATSStreamingHadConfirmedIsCalledAfterItsKill(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		w := s.worker()
		first := call("fn1", "")
		s.broker.publish(t, first)
		w.next(t, first, "done")

		w.signal(t, syscall.SIGSTOP) // so that it takes nothing
		want := map[*message]int{first: 1}
		for range 5 {
			m := call("fn1", "")
			s.broker.publish(t, m)
			want[m] = 1
		}
		s.broker.restart(t)
		w.signal(t, syscall.SIGCONT)
		for m := range want {
			w.next(t, m, "done")
		}
		w.idle(t)
		checkCalled(t, s, want)
	})
}

func TestAMemoryServerThatRestartsAtSequence1IsAnotherServer(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStandOn(t, newMemoryBroker(t), mode)
		release := make(chan struct{})
		s.gateway.tell(func(a asked) answer {
			if a.Function == "slow" {
				return answer{Until: release}
			}
			return answer{}
		})
		w := s.worker()
		want := map[*message]int{}
		slow := call("slow", "")
		s.broker.publish(t, slow) // sequence 1
		s.gateway.await(t, 1)
		for range 3 {
			m := call("before", "")
			s.broker.publish(t, m)
			w.next(t, m, "done")
			want[m] = 1
		}
		s.broker.restart(t)
		w.ready(t)
		for range 4 {
			m := call("after", "")
			s.broker.publish(t, m) // sequences 1 to 4
			w.next(t, m, "done")
			want[m] = 1
		}
		close(release)
		w.next(t, slow, "done") // although its server is gone
		want[slow] = 1
		w.idle(t)
		checkCalled(t, s, want)
	})
}

func TestO7_WithoutNATSStreamingTheWorkerIsNotReady(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.broker.kill()
	w := s.launch(plainBinary)
	w.unready(t, "NATS Streaming")
	if code, body := w.ask(t, http.MethodGet, "/ping"); code != http.StatusOK {
		t.Errorf("/ping answers %d %s, want %d", code, body, http.StatusOK)
	}
	s.broker.start(t)
	w.ready(t)
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "done")
}

func TestANATSStreamingThatHangsIsNoticed(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	s.broker.signal(t, syscall.SIGSTOP)
	w.unready(t, "NATS Streaming")
	s.broker.signal(t, syscall.SIGCONT)
	w.ready(t)
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "done")
	checkCalled(t, s, map[*message]int{m: 1})
}

// TestTheTroubleOfTheWorkerItselfIsNotReady: a proxy before the gateway asks for credentials, which no call can have.
func TestTheTroubleOfTheWorkerItselfIsNotReady(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	s.gateway.tell(always(answer{Status: http.StatusProxyAuthRequired, Before: true}))
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.unready(t, "a proxy before the gateway asks for credentials")
	s.gateway.tell(always(answer{}))
	if done := w.next(t, m, "done"); done.text("retry") != "0/0" {
		t.Errorf("got retry %s, want 0/0: no attempt was counted before", done.text("retry"))
	}
	w.ready(t)
}
