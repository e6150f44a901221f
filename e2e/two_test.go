package e2e

// Two workers on one host and one queue.

import (
	"strings"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

// pair starts two workers, each with a folder of its own.
func pair(t *testing.T, s *stand, mode string) (first, second *worker) {
	t.Helper()
	if mode != "" {
		return s.worker(mode), s.worker(mode)
	}
	return s.worker(), s.worker("data_dir=" + t.TempDir())
}

func TestTwoWorkersOnOneHostShareTheWork(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t)
		first, second := pair(t, s, mode)
		ids := map[string]bool{}
		for _, w := range []*worker{first, second} {
			e := w.event(t, "its connection", func(e entry) bool { return e.text("client_id") != "" })
			ids[e.text("client_id")] = true
		}
		if len(ids) != 2 {
			t.Errorf("the client ids are %v, want 2", ids)
		}
		for clientID := range ids {
			if !strings.HasPrefix(clientID, "faas-worker-") {
				t.Errorf(`a client id is %q, want "faas-worker-" at its beginning`, clientID)
			}
		}
		want := map[*message]int{}
		for range 40 {
			m := call("fn1", "")
			s.broker.publish(t, m)
			want[m] = 1
		}
		s.gateway.awaitDone(t, 40)
		one, two := first.idle(t), second.idle(t)
		switch {
		case one.done+two.done != 40:
			t.Errorf("one did %v, the other %v, want one.done+two.done 40", one.done, two.done)
		case one.done == 0:
			t.Errorf("one did %v, the other %v, want done not 0", one.done, two.done)
		case two.done == 0:
			t.Errorf("one did %v, the other %v, want done not 0", one.done, two.done)
		}
		checkCalled(t, s, want)
	})
}

func TestAFunctionFiveTimesAsSlowAsAckWaitRunsOnceWithTwoWorkers(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, "ack_wait=1s")
		s.gateway.tell(always(answer{Delay: 5 * time.Second}))
		first, second := pair(t, s, mode)
		want := map[*message]int{}
		for range 4 {
			m := call("slow", "")
			s.broker.publish(t, m)
			want[m] = 1
		}
		s.gateway.awaitDone(t, 4)
		if one, two := first.idle(t), second.idle(t); one.done+two.done != 4 {
			t.Errorf("one did %v, the other %v, want one.done+two.done 4", one.done, two.done)
		}
		checkCalled(t, s, want)
	})
}

// TestTheOtherWorkerGetsWhatADeadOneHadUnsettled is about workers without a
// data_dir: NATS Streaming has the messages, and hands them on when the heartbeats
// of the dead worker fail.
func TestTheOtherWorkerGetsWhatADeadOneHadUnsettled(t *testing.T) {
	t.Parallel()
	b := &broker{port: freePort(t), dir: t.TempDir(), heartbeat: time.Second}
	b.start(t)
	s := newStandOn(t, b, "data_dir=")
	tell, release := held("slow")
	s.gateway.tell(tell)
	first := s.worker()
	var all []*message
	for range 6 {
		m := call("slow", "")
		s.broker.publish(t, m)
		all = append(all, m)
	}
	s.gateway.await(t, 6)
	second := s.worker()
	first.kill()
	s.gateway.await(t, 12) // the second worker has them, too
	release()
	for _, m := range all {
		second.next(t, m, "done")
		checkRetries(t, s, m, []int{0, 0})
	}
	second.idle(t)
}

// TestAWorkerThatComesBackHasWhatItHadStored is the same with a data_dir: what a
// dead worker has stored is its own.
func TestAWorkerThatComesBackHasWhatItHadStored(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	tell, release := held("slow")
	s.gateway.tell(tell)
	first := s.worker()
	m := call("slow", "")
	s.broker.publish(t, m)
	s.gateway.await(t, 1)
	second := s.worker("data_dir=" + t.TempDir())
	first.kill()
	release()
	other := call("fn1", "")
	s.broker.publish(t, other)
	first = s.worker()
	first.next(t, m, "done")
	testkit.Eventually(t, "the other message to be done", func() bool { return first.counts(t).done+second.counts(t).done == 2 })
	checkCalled(t, s, map[*message]int{m: 2, other: 1})
}
