package e2e

// The worker is asked to end.

import (
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

// held makes the gateway hold every call of functions that begin with a name until
// it is released.
func held(prefix string) (tell func(asked) answer, release func()) {
	gate := make(chan struct{})
	return func(a asked) answer {
		if strings.HasPrefix(a.Function, prefix) {
			return answer{Until: gate}
		}
		return answer{}
	}, func() { close(gate) }
}

// draining waits until the worker says that it is about to end.
func (w *worker) draining(t testing.TB) {
	t.Helper()
	testkit.Eventually(t, "/readyz to tell of the drain", func() bool {
		code, body, err := try(http.MethodGet, w.base+"/readyz")
		return err == nil && code == http.StatusServiceUnavailable && strings.Contains(body, "draining")
	})
}

func TestR11_ACallEndsBeforeTheWorkerDoesAndIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			inBothModes(t, func(t *testing.T, mode string) {
				s := newStand(t, mode)
				s.gateway.tell(func(a asked) answer {
					if a.Function == "slow" {
						return answer{Delay: 2 * time.Second}
					}
					return answer{}
				})
				w := s.worker()
				m := call("slow", "")
				s.broker.publish(t, m)
				s.gateway.await(t, 1)
				w.signal(t, sig)
				if code := w.exit(t); code != 0 {
					t.Errorf("the exit code is %d, want 0", code)
				}
				w.next(t, m, "done")
				s.checkNotAgain(m)
			})
		})
	}
}

// checkNotAgain starts a worker and lets it do something else. If there were
// anything left of the message, it would be called first.
func (s *stand) checkNotAgain(m *message) {
	s.t.Helper()
	before := len(s.gateway.of(m))
	w := s.worker()
	marker := call(m.Function+"-marker", "")
	s.broker.publish(s.t, marker)
	w.next(s.t, marker, "done")
	w.idle(s.t)
	if now := len(s.gateway.of(m)); now != before {
		s.t.Errorf("after the restart %s was called %d times more", m.Function, now-before)
	}
}

func TestReadinessFallsFirstAndNothingMoreIsTakenOrBegun(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, "max_inflight=1", mode)
		tell, release := held("slow")
		s.gateway.tell(tell)
		w := s.worker()
		slow, waiting, late := call("slow", ""), call("waiting", ""), call("late", "")
		s.broker.publish(t, slow)
		s.gateway.await(t, 1)
		s.broker.publish(t, waiting)
		testkit.Eventually(t, "the second message to be taken in", func() bool { return w.counts(t).accepted == 2 })

		w.signal(t, syscall.SIGTERM)
		w.draining(t)
		if w.isOver() {
			t.Error("the worker ended during a call, want it to wait")
		}
		if code, _ := w.ask(t, http.MethodGet, "/healthz"); code != http.StatusOK {
			t.Errorf("/healthz answers %d while it drains, want %d", code, http.StatusOK)
		}
		s.broker.publish(t, late)
		release()
		if code := w.exit(t); code != 0 {
			t.Errorf("the exit code is %d, want 0", code)
		}
		if n := len(s.gateway.all()); n != 1 {
			t.Errorf("there were %d calls before the end, want 1", n)
		}
		w = s.worker()
		w.next(t, waiting, "done")
		w.next(t, late, "done")
		w.idle(t)
		checkCalled(t, s, map[*message]int{slow: 1, waiting: 1, late: 1})
	})
}

func TestASecondSignalAbortsAndTheCallIsMadeAgainLater(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		tell, release := held("slow")
		s.gateway.tell(tell)
		w := s.worker()
		m := call("slow", "the body")
		s.broker.publish(t, m)
		s.gateway.await(t, 1)
		w.signal(t, syscall.SIGTERM)
		w.draining(t)
		w.signal(t, syscall.SIGTERM)
		if code := w.exit(t); code != 1 {
			t.Errorf("the exit code is %d, want 1", code)
		}
		release()
		w = s.worker()
		w.next(t, m, "done")
		w.idle(t)
		checkRetries(t, s, m, []int{0, 0}) // what was aborted does not count
	})
}

func TestTheDrainTimeoutAborts(t *testing.T) {
	t.Parallel()
	s := newStand(t, "drain_timeout=300ms")
	tell, release := held("slow")
	s.gateway.tell(tell)
	w := s.worker()
	m := call("slow", "")
	s.broker.publish(t, m)
	s.gateway.await(t, 1)
	w.signal(t, syscall.SIGTERM)
	if code := w.exit(t); code != 1 {
		t.Errorf("the exit code is %d, want 1", code)
	}
	release()
	w = s.worker()
	w.next(t, m, "done")
	checkRetries(t, s, m, []int{0, 0})
}

func TestAnIdleWorkerEndsAtOnceAlsoWithoutNATSStreaming(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=1h", "max_retry_wait=1h")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "retry")
	s.broker.kill()
	w.unready(t, "NATS Streaming")
	w.signal(t, syscall.SIGTERM)
	if code := w.exit(t); code != 0 {
		t.Errorf("the exit code is %d, want 0", code)
	}
	if c := s.launch(plainBinary).counts(t); c.delayed != 1 {
		t.Errorf("after the restart the counts are %+v, want delayed 1", c)
	}
}

func TestFiftyCallsAreAllFinishedByADrain(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_inflight=50")
	tell, release := held("slow")
	s.gateway.tell(tell)
	w := s.worker()
	want := map[*message]int{}
	for i := range 50 {
		m := call("slow-"+strconv.Itoa(i), "") // one function alone does not get the last eighth of the slots
		s.broker.publish(t, m)
		want[m] = 1
	}
	s.gateway.await(t, 50)
	w.signal(t, syscall.SIGTERM)
	w.draining(t)
	release()
	if code := w.exit(t); code != 0 {
		t.Errorf("the exit code is %d, want 0", code)
	}
	if c := s.worker().counts(t); c.ready+c.delayed+c.dead != 0 {
		t.Errorf("after the restart the counts are %+v, want c.ready+c.delayed+c.dead 0", c)
	}
	checkCalled(t, s, want)
}
