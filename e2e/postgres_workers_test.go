package e2e

// Three workers on one PostgreSQL: one works, two stand by, and each fault makes another one work.

import (
	"fmt"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

const (
	faultSlots = 5
	faultCalls = 60 // published for each fault
	faultWait  = 50 * time.Millisecond
)

// crew are workers on one database, and what was published for them.
type crew struct {
	*stand
	workers []*worker
	sent    []*message
}

// working waits until one of the workers works, and returns it.
func (c *crew) working() (found *worker) {
	c.t.Helper()
	testkit.Eventually(c.t, "a worker to work", func() bool {
		for _, w := range c.workers {
			if w.isOver() {
				continue
			}
			if code, _, err := try(http.MethodGet, w.base+"/readyz"); err == nil && code == http.StatusOK {
				found = w
				return true
			}
		}
		return false
	})
	return found
}

// load publishes messages, and returns the worker that has calls in flight.
func (c *crew) load() *worker {
	c.t.Helper()
	w := c.working()
	before := len(c.gateway.all())
	var all []*message
	for i := range faultCalls {
		all = append(all, call(fmt.Sprintf("fn%d", i%5), "body"))
	}
	c.broker.publish(c.t, all...)
	c.sent = append(c.sent, all...)
	c.gateway.await(c.t, before+faultCalls/4)
	return w
}

// takenOver waits until another worker works.
func (c *crew) takenOver(from *worker, within time.Duration) {
	c.t.Helper()
	begun := time.Now()
	for i, w := range c.workers {
		if w == from {
			c.workers = append(c.workers[:i:i], c.workers[i+1:]...)
			break
		}
	}
	c.working()
	took := time.Since(begun)
	c.t.Logf("taken over after %s", took.Round(time.Millisecond))
	if took > within+patience/4 { // the machine may be busy with other tests
		c.t.Errorf("takeover: got it after %s, want within %s", took, within)
	}
}

func (c *crew) finished() {
	c.t.Helper()
	testkit.Eventually(c.t, "every message to be answered 200", func() bool { return len(answered(c.gateway.all())) == len(c.sent) })
}

func TestPostgresThreeWorkersUnderFaults(t *testing.T) {
	t.Parallel()
	server, settings := newServer(t)
	s := newStand(t, append(settings, "initial_retry_wait="+faultWait.String(), "max_retry_wait=100ms", fmt.Sprintf("max_inflight=%d", faultSlots), "ack_wait=1s")...)
	s.gateway.tell(func(a asked) answer {
		say := failing(1)(a)
		say.Delay = 40 * time.Millisecond
		return say
	})
	c := &crew{stand: s}
	c.workers = append(c.workers, s.worker())
	c.workers = append(c.workers, s.waiter())

	killed := c.load()
	killed.kill()
	c.takenOver(killed, 4*time.Second)
	c.finished()

	if os.Getenv("CHAOS") == "long" { // it fails in one run of about five; see docs/scaling.md
		c.workers = append(c.workers, s.waiter())
		frozen := c.load()
		frozen.signal(t, syscall.SIGSTOP)
		c.takenOver(frozen, 12*time.Second)
		c.finished()
		frozen.signal(t, syscall.SIGCONT)
		if got, want := frozen.exit(t), 1; got != want {
			t.Errorf("exit code of the worker that was frozen: got %d, want %d", got, want)
		}
	}

	c.load()
	server.Kill()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	c.workers = append(c.workers, s.waiter())
	c.finished()

	ended := c.load()
	ended.signal(t, syscall.SIGTERM)
	c.takenOver(ended, 2*time.Second)
	if got, want := ended.exit(t), 0; got != want {
		t.Errorf("exit code after SIGTERM: got %d, want %d", got, want)
	}
	c.finished()
	last := c.working()
	last.idle(t)
	if got := last.deadSet(t); len(got) != 0 {
		t.Errorf("dead letters: got %d, want none", len(got))
	}
	checkFaultCalls(t, s, len(c.sent))
}

// checkFaultCalls checks the calls of messages that fail once, after a kill of a worker, one that was
// frozen, and a kill of the server.
func checkFaultCalls(t *testing.T, s *stand, sent int) {
	t.Helper()
	all := s.gateway.all()
	if got, most := len(all), 2*sent+3*faultSlots; got > most {
		t.Errorf("calls: got %d, want at most %d", got, most)
	}
	failed := map[string]time.Time{} // when the first call ended
	for _, a := range all {
		if at, ok := failed[a.callID()]; a.retry() == 0 && !a.Done.IsZero() && (!ok || a.Done.Before(at)) {
			failed[a.callID()] = a.Done
		}
	}
	for _, a := range all {
		switch {
		case a.retry() > 1:
			t.Errorf("retry number: got %d, want at most 1", a.retry())
		case a.retry() == 1 && a.At.Before(failed[a.callID()].Add(faultWait)):
			t.Errorf("retry: got it %s after the failed call, want at least %s", a.At.Sub(failed[a.callID()]), faultWait)
		}
	}
}
