package e2e

// The worker is killed, at any moment and at named ones.

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

// crashed waits until the worker has killed itself.
func (w *worker) crashed(t testing.TB) {
	t.Helper()
	w.exit(t)
	switch ws, ok := w.cmd.ProcessState.Sys().(syscall.WaitStatus); {
	case !ok:
		t.Fatalf("the worker ended with %s, not by its crash point, want ok", w.cmd.ProcessState)
	case ws.Signal() != syscall.SIGKILL:
		t.Fatalf("the worker ended with %s, not by its crash point, want signal %v", w.cmd.ProcessState, syscall.SIGKILL)
	}
}

// failing answers 500 to the first n attempts.
func failing(n int) func(asked) answer {
	return func(a asked) answer {
		if a.retry() < n {
			return status(500)
		}
		return answer{}
	}
}

// moment is a place at which the worker is killed, and what the function sees of
// an invocation that fails twice.
type moment struct {
	point string
	nth   int
	// retries are the numbers that the calls get with a data_dir.
	retries   []int
	forgetful []int // the same without one, where a crash forgets the attempts
}

var moments = []moment{
	{"before-commit", 1, []int{0, 1, 2}, []int{0, 1, 2}},
	{"before-ack", 1, []int{0, 1, 2}, []int{0, 1, 2, 0, 1, 2}}, // without data_dir that is after everything
	{"before-call", 1, []int{0, 1, 2}, []int{0, 1, 2}},
	{"before-call", 2, []int{0, 1, 2}, []int{0, 0, 1, 2}},
	{"before-call", 3, []int{0, 1, 2}, []int{0, 1, 0, 1, 2}},
	{"before-settle", 1, []int{0, 0, 1, 2}, []int{0, 0, 1, 2}},
	{"before-settle", 2, []int{0, 1, 1, 2}, []int{0, 1, 0, 1, 2}},
	{"before-settle", 3, []int{0, 1, 2, 2}, []int{0, 1, 2, 0, 1, 2}},
	{"after-settle", 1, []int{0, 1, 2}, []int{0, 0, 1, 2}},
	{"after-settle", 2, []int{0, 1, 2}, []int{0, 1, 0, 1, 2}},
	{"after-settle", 3, []int{0, 1, 2}, []int{0, 1, 2}},
}

// TestACrashLosesNothingAndForgetsNoAttempt kills the worker at each point. A call
// is made twice only when the worker died between it and the settlement.
func TestACrashLosesNothingAndForgetsNoAttempt(t *testing.T) {
	t.Parallel()
	for _, at := range moments {
		t.Run(at.point+" "+string(rune('0'+at.nth)), func(t *testing.T) {
			t.Parallel()
			s := newStand(t, "initial_retry_wait=50ms")
			s.gateway.tell(failing(2))
			m := call("fn1", "the body")
			s.crashAt(at, m)
			checkRetries(t, s, m, at.retries)
			checkSameKey(t, s, m)
			checkPlanned(t, s.gateway.of(m), 50*time.Millisecond)
		})
	}
}

func TestACrashWithoutADataDirLosesNothingThatIsNotSettled(t *testing.T) {
	t.Parallel()
	for _, at := range moments {
		t.Run(at.point+" "+string(rune('0'+at.nth)), func(t *testing.T) {
			t.Parallel()
			s := newStand(t, "initial_retry_wait=50ms", "data_dir=")
			s.gateway.tell(failing(2))
			m := call("fn1", "the body")
			s.crashAt(at, m)
			if at.point == "after-settle" && at.nth == 3 && len(s.gateway.of(m)) > 3 {
				return // its ack may have been on its way when it died
			}
			checkRetries(t, s, m, at.forgetful)
			checkSameKey(t, s, m)
			checkPlanned(t, s.gateway.of(m), 50*time.Millisecond)
		})
	}
}

// crashAt publishes a message to a worker that dies at a moment, and lets another
// bring everything to its end.
func (s *stand) crashAt(at moment, m *message) {
	s.t.Helper()
	w := s.crasher(at.point, at.nth)
	s.broker.publish(s.t, m)
	w.crashed(s.t)
	w = s.worker()
	marker := call("fn2", "")
	s.broker.publish(s.t, marker)
	w.next(s.t, marker, "done")
	s.gateway.awaitThat(s.t, "the last call", func(all []asked) bool {
		return slices.ContainsFunc(all, func(a asked) bool { return a.callID() == id(m) && a.retry() == 2 })
	})
	if c := w.idle(s.t); c.dead != 0 {
		s.t.Errorf("the counts are %+v", c)
	}
}

// checkRetries compares the numbers of the calls, and that each was whole.
func checkRetries(t testing.TB, s *stand, m *message, want []int) {
	t.Helper()
	calls := s.gateway.of(m)
	if got := retries(calls); !slices.Equal(got, want) {
		t.Errorf("the calls have the retry numbers %v, want %v", got, want)
	}
	for _, c := range calls {
		if string(c.Body) != string(m.Body) {
			t.Errorf("a call had the body %q, want body %q", c.Body, m.Body)
		}
	}
}

// checkSameKey compares the Idempotency-Key of all calls.
func checkSameKey(t testing.TB, s *stand, m *message) {
	t.Helper()
	calls := s.gateway.of(m)
	for _, c := range calls {
		switch key := c.Header.Get("Idempotency-Key"); {
		case key == "":
			t.Errorf("a call had the Idempotency-Key %q, the first one %q, want key not empty", key, calls[0].Header.Get("Idempotency-Key"))
		case key != calls[0].Header.Get("Idempotency-Key"):
			t.Errorf("a call had the Idempotency-Key %q, the first one %q, want key %v", key, calls[0].Header.Get("Idempotency-Key"), calls[0].Header.Get("Idempotency-Key"))
		}
	}
}

// checkPlanned is checkWaits for calls of which some were made twice: only those
// that are a new retry have a wait.
func checkPlanned(t testing.TB, calls []asked, initial time.Duration) {
	t.Helper()
	for i := 1; i < len(calls); i++ {
		n := calls[i].retry()
		if n <= calls[i-1].retry() {
			continue
		}
		if gap, wait := calls[i].At.Sub(calls[i-1].Done), initial<<(n-1); gap < wait {
			t.Errorf("retry %d came after %s, its wait is %s, want at least %v", n, gap, wait, wait)
		}
	}
}

func TestR9_AKillDuringADelayForgetsNothing(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=2s")
	s.gateway.tell(failing(2))
	w := s.worker()
	m := call("fn1", "the body")
	s.broker.publish(t, m)
	w.next(t, m, "retry")
	w.kill()
	w = s.worker()
	w.next(t, m, "retry")
	w.kill()
	w = s.worker()
	w.next(t, m, "done")
	checkRetries(t, s, m, []int{0, 1, 2})
	checkPlanned(t, s.gateway.of(m), 2*time.Second)
}

func TestAWaitThatIsOverWhenTheWorkerStartsIsOver(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=1s")
	s.gateway.tell(failing(1))
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	due, err := time.Parse(time.RFC3339Nano, w.next(t, m, "retry").text("at"))
	if err != nil {
		t.Fatal(err)
	}
	w.kill()
	time.Sleep(time.Until(due)) // no worker is there when it falls due
	w = s.worker()
	w.next(t, m, "done")
	checkRetries(t, s, m, []int{0, 1})
}

func TestR10_AKillDuringACallMakesItAgain(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		s.gateway.tell(always(answer{Delay: time.Hour}))
		w := s.worker()
		m := call("fn1", "the body")
		s.broker.publish(t, m)
		s.gateway.await(t, 1)
		w.kill()
		s.gateway.tell(always(answer{}))
		w = s.worker()
		w.next(t, m, "done")
		w.idle(t)
		if got := retries(s.gateway.of(m)); !slices.Equal(got, []int{0, 0}) {
			t.Errorf("the calls have the retry numbers %v, want %v", got, []int{0, 0})
		}
	})
}

func TestWhatWaitsBehindACallSurvivesAKillAndKeepsItsOrder(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_inflight=1")
	s.gateway.tell(always(answer{Delay: time.Hour}))
	w := s.worker()
	var all []*message
	for range 20 {
		all = append(all, call("fn1", ""))
	}
	s.broker.publish(t, all...)
	s.gateway.await(t, 1)
	testkit.Eventually(t, "all to be taken in", func() bool { return w.counts(t).accepted == 20 })
	w.kill()
	s.gateway.tell(always(answer{}))
	w = s.worker()
	w.next(t, all[19], "done")
	w.idle(t)
	calls := s.gateway.all()[1:]
	for i, m := range all {
		switch {
		case i >= len(calls):
			t.Fatalf("after the kill the calls were not those of before in their order: %d of them, want i below %d", len(calls), len(calls))
		case calls[i].callID() != id(m):
			t.Fatalf("after the kill the calls were not those of before in their order: %d of them, want callID %v", len(calls), id(m))
		}
	}
	if len(calls) != 20 {
		t.Errorf("there were %d calls after the kill, want 20 calls", len(calls))
	}
}

func TestWhatKillsTheWorkerEveryTimeIsBuriedAsPoison(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	m := call("fn1", "the body")
	s.broker.publish(t, m)
	for range 5 {
		s.crasher("before-settle", 1).crashed(t)
	}
	w := s.worker()
	letter := w.deadSet(t).only(t)
	switch {
	case letter.Reason != "poison":
		t.Errorf(`the dead letter is %+v, want reason "poison"`, letter)
	case letter.CallID != id(m):
		t.Errorf("the dead letter is %+v, want CallID %v", letter, id(m))
	}
	next := call("fn1", "")
	s.broker.publish(t, next)
	w.next(t, next, "done")
	checkCalled(t, s, map[*message]int{m: 5, next: 1})
}
