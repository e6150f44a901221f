package e2e

// Embedded NATS Streaming.

import (
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go"
)

// newEmbedded makes a stand whose NATS Streaming is the worker's own, on a port
// that stays. The stand's broker only publishes.
func newEmbedded(t *testing.T, settings ...string) *stand {
	t.Helper()
	b := &broker{port: freePort(t)}
	return newStandOn(t, b, append([]string{
		"stan_embedded=true", "stan_listen_address=127.0.0.1:" + strconv.Itoa(b.port),
	}, settings...)...)
}

// worker of an embedded stand: the publisher's connection ends with it.
func (s *stand) embedded(settings ...string) *worker {
	s.t.Helper()
	s.broker.publisher = nil
	return s.worker(settings...)
}

func TestEmbeddedNATSAcceptsWhatTheGatewayPublishes(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newEmbedded(t, "initial_retry_wait=20ms", mode)
		s.gateway.tell(failing(2))
		w := s.embedded()
		want := map[*message]int{}
		for range 10 {
			m := call("fn1", "hello")
			s.broker.publish(t, m)
			want[m] = 3
		}
		s.broker.publishRaw(t, "not JSON")
		for m := range want {
			w.next(t, m, "done")
		}
		checkCalled(t, s, want)
		switch c := w.idle(t); {
		case c.done != 10:
			t.Errorf("the counts are %+v, want done 10", c)
		case c.dead != 1:
			t.Errorf("the counts are %+v, want dead 1", c)
		}
		w.signal(t, syscall.SIGTERM)
		if code := w.exit(t); code != 0 {
			t.Errorf("the exit code is %d, want 0", code)
		}
	})
}

func TestEmbeddedNATSSurvivesAKillOnItsFolder(t *testing.T) {
	t.Parallel()
	s := newEmbedded(t, "max_inflight=2")
	tell, release := held("slow")
	s.gateway.tell(tell)
	w := s.embedded()
	want := map[*message]int{}
	for range 20 {
		m := call("slow", "the body")
		s.broker.publish(t, m)
		want[m] = 1
	}
	running := s.gateway.await(t, 2)
	w.kill()
	release()
	for m := range want {
		for _, r := range running[:2] {
			if r.callID() == id(m) {
				want[m] = 2 // they were in flight
			}
		}
	}
	w = s.embedded()
	for m := range want {
		w.next(t, m, "done")
	}
	w.idle(t)
	checkCalled(t, s, want)

	after := call("after", "") // the server of the second life takes more
	s.broker.publish(t, after)
	w.next(t, after, "done")
}

// TestWhatEmbeddedNATSConfirmedSurvivesAKillBeforeTheStore kills the worker
// when some of the messages that its embedded server has confirmed are not in its store yet.
func TestWhatEmbeddedNATSConfirmedSurvivesAKillBeforeTheStore(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"before-commit", "before-ack"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			s := newEmbedded(t)
			w := s.crasher(point, 20)
			confirmed := s.broker.publishUntilLost(t, 40)
			w.crashed(t)
			w = s.embedded()
			for m := range confirmed {
				s.gateway.awaitThat(t, "a call of what was confirmed", func(all []asked) bool {
					return slices.ContainsFunc(all, func(a asked) bool { return a.callID() == id(m) && !a.Done.IsZero() && !a.Broken })
				})
			}
			w.idle(t)
			t.Logf("%d messages were confirmed before the kill", len(confirmed))
		})
	}
}

// publishUntilLost publishes n calls at once and returns those that were confirmed
// before the connection was lost.
func (b *broker) publishUntilLost(t *testing.T, n int) map[*message]bool {
	t.Helper()
	lost := make(chan struct{})
	c, err := stan.Connect(defaultCluster, clientID(), stan.NatsURL(b.url()),
		stan.NatsOptions(nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(lost) })))
	if err != nil {
		t.Fatal(err)
	}
	confirmed := make(chan *message, n)
	for range n {
		m := call("fn1", "the body")
		_, err := c.PublishAsync(defaultQueue, []byte(encode(t, m)), func(_ string, err error) {
			if err == nil {
				confirmed <- m
			}
		})
		if err != nil {
			break // it is lost already
		}
	}
	select {
	case <-lost:
	case <-time.After(patience):
		t.Fatal("the connection was not lost")
	}
	all := map[*message]bool{}
	for len(confirmed) > 0 {
		all[<-confirmed] = true
	}
	return all
}

func TestEmbeddedNATSListensOnLoopbackByDefault(t *testing.T) {
	t.Parallel()
	s := newEmbedded(t)
	w := s.embedded()
	c, err := stan.Connect(defaultCluster, clientID(), stan.NatsURL(s.broker.url()))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	w.event(t, "the embedded server", func(e entry) bool {
		return e.message() == "embedded NATS Streaming open" && strings.Contains(e.text("url"), "127.0.0.1")
	})
}
