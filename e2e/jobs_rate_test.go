// File jobs_rate_test.go holds jobs up: live work comes first, and nothing is made up for.

package e2e

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

func TestAJobHoldsWhileLiveWorkWaits(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_inflight=2")
	tell, release := held("fn1")
	s.gateway.tell(tell)
	w := s.worker()
	w.fill(t, 10)
	for range 6 {
		s.broker.publish(t, call("fn1", "live"))
	}
	testkit.Eventually(t, "all to be taken in", func() bool { return w.counts(t).accepted == 16 })
	s.gateway.await(t, 2)
	j := w.begin(t, `{"act":"replay","all":true,"rate":1000}`)
	j = w.awaitState(t, j, "waiting")
	switch {
	case j.Done != 0:
		t.Errorf("the job is %+v, want done 0", j)
	case !strings.Contains(j.Why, "live work"):
		t.Errorf(`the job is %+v, want "live work" in Why`, j)
	}
	release()
	w.wantJob(t, j, 10, 0)
	w.idle(t)
	bodies := callIDs(s.gateway.calls(), func(a asked) string { return string(a.Body) })
	switch last := slices.Index(bodies, "live"); {
	case last < 0:
		t.Errorf("the calls were of %q: got last %v, want at least 0", bodies, last)
	case slices.Contains(bodies[:4], "0"):
		t.Errorf(`the calls were of %q, want no "0" in bodies[:4]`, bodies)
	}
}

func TestAWorkerThatStoodStillContinuesAtTheRate(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	w := s.worker()
	w.fill(t, 40)
	j := w.begin(t, `{"act":"replay","all":true,"rate":10}`)
	w.awaitJob(t, j, "begun", func(j job) bool { return j.Done >= 5 })
	w.signal(t, syscall.SIGSTOP)
	time.Sleep(2 * time.Second) // in which the rate would have had twenty
	before := len(s.gateway.calls())
	woken := time.Now()
	w.signal(t, syscall.SIGCONT)
	w.wantJob(t, j, 40, 0)
	w.idle(t)
	calls := s.gateway.calls()
	for i, c := range calls[before:] {
		if least := time.Duration(i-4) * 100 * time.Millisecond; c.At.Sub(woken) < least {
			t.Errorf("call %d after it woke came after %s, want at least %v", i, c.At.Sub(woken), least)
		}
	}
	if len(calls) != 40 {
		t.Errorf("there were %d calls, want 40 calls", len(calls))
	}
}
