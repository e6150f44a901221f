package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/stan.go"

	"queue-worker/internal/testkit"
)

// fillQueue publishes bodies of 200 KB until the messages come to some bytes or one is
// refused, and returns the confirmed ones.
func fillQueue(bytes int, publish func(*message) error, function func(n int) string) (confirmed []*message, refused error) {
	body := strings.Repeat("x", 200_000)
	for sent := 0; sent < bytes; sent += len(body) * 4 / 3 {
		m := call(function(len(confirmed)), body)
		if err := publish(m); err != nil {
			return confirmed, err
		}
		confirmed = append(confirmed, m)
	}
	return confirmed, nil
}

// Without data_dir the embedded server keeps 64 MiB of a queue. Four times as much for a
// paused function is refused at some point, and nothing that was confirmed is removed.
func TestNoConfirmedMessageIsRemovedBehindAPausedFunction(t *testing.T) {
	t.Parallel()
	s := newEmbedded(t, "data_dir=")
	w := s.embedded()
	w.pause(t, "paused", "{}")
	c, err := stan.Connect(defaultCluster, clientID(), stan.NatsURL(s.broker.url()), stan.PubAckWait(3*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	const kept = 64 << 20
	publish := func(m *message) error { return c.Publish(defaultQueue, []byte(encode(t, m))) }
	confirmed, refused := fillQueue(4*kept, publish, func(int) string { return "paused" })
	_ = c.Close() // the server may have ended
	if refused == nil {
		t.Fatalf("all of %d messages were confirmed: got refused %v, want set", len(confirmed), refused)
	}
	t.Logf("%d messages were confirmed, then: %v", len(confirmed), refused)
	w.steerFunction(t, "paused", "resume", "")
	testkit.Eventually(t, "each confirmed message to be called", func() bool {
		called := s.gateway.byCall()
		return !slices.ContainsFunc(confirmed, func(m *message) bool { return called[id(m)] == 0 })
	})
	w.idle(t)
	for callID, n := range s.gateway.byCall() {
		if n != 1 {
			t.Errorf("call %s was made %d times, want 1", callID, n)
		}
	}
}

// With data_dir it keeps 256 MiB. Four times as much goes into the store, at full speed,
// whatever the functions do.
func TestChaosNoConfirmedMessageIsRemovedBehindSlowFunctions(t *testing.T) {
	t.Parallel()
	const kept = 256 << 20
	bytes := kept / 8
	if isLong() {
		bytes = 4 * kept
	}
	s := newEmbedded(t)
	s.gateway.tell(always(answer{Delay: 100 * time.Millisecond}))
	w := s.embedded()
	w.pause(t, "paused", "{}")
	const one = 20 // in so many is for the slow function
	confirmed, refused := fillQueue(bytes, s.broker.try, func(n int) string {
		if n%one == 0 {
			return "slow"
		}
		return "paused"
	})
	if refused != nil {
		t.Errorf("after %d messages: %v, want nil", len(confirmed), refused)
	}
	slow := (len(confirmed) + one - 1) / one
	s.gateway.awaitDone(t, slow)
	testkit.Eventually(t, "each message to be called or stored", func() bool {
		c := w.counts(t)
		return c.done == float64(slow) && c.accepted == float64(len(confirmed)) && c.pending() == float64(len(confirmed)-slow)
	})
	called := s.gateway.byCall()
	for n, m := range confirmed {
		if want := map[bool]int{true: 1}[n%one == 0]; called[id(m)] != want {
			t.Errorf("call %s was made %d times, want %d", id(m), called[id(m)], want)
		}
	}
}
