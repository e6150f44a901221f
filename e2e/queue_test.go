package e2e

// Several queues, each with its own limit and retries.

import (
	"strings"
	"testing"
	"time"
)

func TestR14_EachQueueHasItsOwnRetries(t *testing.T) {
	t.Parallel()
	s := newStand(t, "faas_nats_channel=faas-request,q1,slow-queue.2", "max_retry_attempts=2", "initial_retry_wait=10ms",
		"max_retry_attempts__q1=1", "max_retry_attempts__slow_queue_2=3", "backoff__slow_queue_2=constant", "retry_http_codes__slow_queue_2=503")
	s.gateway.tell(always(status(503)))
	w := s.worker()
	for queue, calls := range map[string]int{"faas-request": 3, "q1": 2, "slow-queue.2": 4} {
		m := call("fn1", "")
		s.broker.publishOn(t, queue, m)
		w.next(t, m, "dead")
		if n := len(s.gateway.of(m)); n != calls {
			t.Errorf("%s: %d calls, want %d", queue, n, calls)
		}
		if got := w.plannedWaits(m); queue == "slow-queue.2" && strings.Join(got, " ") != "10ms 10ms 10ms" {
			t.Errorf("its waits are %v", got)
		}
	}
	s.gateway.tell(always(status(500)))
	m := call("fn1", "")
	s.broker.publishOn(t, "slow-queue.2", m)
	if end := w.next(t, m, "dead"); end.text("reason") != "non_retryable" {
		t.Errorf(`a status that the queue does not retry: dead of %s, want "non_retryable"`, end.text("reason"))
	}
}

func TestAQueueWithALimitLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	s := newStand(t, "faas_nats_channel=faas-request,slow-queue:2", "max_inflight=8")
	release := make(chan struct{})
	s.gateway.tell(func(a asked) answer {
		if strings.HasPrefix(a.Function, "slow") {
			return answer{Until: release}
		}
		return answer{Delay: 10 * time.Millisecond}
	})
	w := s.worker()
	for _, function := range []string{"slow1", "slow2", "slow3", "slow1", "slow2", "slow3"} {
		s.broker.publishOn(t, "slow-queue", call(function, ""))
	}
	s.gateway.await(t, 2)
	for range 20 {
		m := call("quick", "")
		s.broker.publish(t, m)
		w.next(t, m, "done")
	}
	slow := 0
	for _, a := range s.gateway.calls() {
		if strings.HasPrefix(a.Function, "slow") {
			slow++
		}
	}
	if slow != 2 {
		t.Errorf("%d calls of the queue that is limited to 2, want 2", slow)
	}
	close(release)
	w.idle(t)
}

func TestASettingOfAQueueThatIsNotThereStopsTheStart(t *testing.T) {
	t.Parallel()
	text := fails(t, 2, []string{
		"faas_nats_channel=q.1,q-1,slow:3", "max_retry_attempts__fast=1", "max_retry_attempts__q_1=1", "max_inflight__slow=3", "backoff__slow=odd",
	})
	for _, want := range []string{`max_retry_attempts__fast="1"`, `max_retry_attempts__q_1="1"`, "q.1 and q-1", `max_inflight__slow="3"`, "slow-queue:5", `backoff__slow="odd"`} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %s:\n%s, want it", want, text)
		}
	}
}
