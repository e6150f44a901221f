package e2e

// The embedded door: NATS Streaming inside the worker.

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

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

func TestTheEmbeddedDoorTakesWhatTheGatewayPublishes(t *testing.T) {
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
		if c := w.idle(t); c.done != 10 || c.dead != 1 {
			t.Errorf("the counts are %+v", c)
		}
		w.signal(t, syscall.SIGTERM)
		if code := w.exit(t); code != 0 {
			t.Errorf("the exit code is %d", code)
		}
	})
}

func TestTheEmbeddedDoorSurvivesAKillOnItsFolder(t *testing.T) {
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

	after := call("after", "") // the door of the second life takes more
	s.broker.publish(t, after)
	w.next(t, after, "done")
}

// TestWhatTheEmbeddedDoorConfirmedSurvivesAKillBeforeItIsStored kills the worker
// when it has published to its gateway that it has the message, and not stored it.
func TestWhatTheEmbeddedDoorConfirmedSurvivesAKillBeforeItIsStored(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"before-commit", "before-ack"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			s := newEmbedded(t)
			w := s.crasher(point, 1)
			m := call("fn1", "the body")
			confirmed := s.broker.try(m) == nil // or the kill was quicker than the confirmation
			w.crashed(t)
			w = s.embedded()
			if confirmed {
				w.next(t, m, "done")
			}
			marker := call("fn2", "")
			s.broker.publish(t, marker)
			w.next(t, marker, "done")
			w.idle(t)
			if n := len(s.gateway.of(m)); n > 1 || confirmed && n != 1 {
				t.Errorf("confirmed %v, called %d times", confirmed, n)
			}
		})
	}
}

func TestTheEmbeddedDoorShutsWhileTheStoreIsFull(t *testing.T) {
	t.Parallel()
	s := newEmbedded(t, "store_max_bytes=1MiB", "initial_retry_wait=1h", "max_retry_wait=1h")
	s.gateway.tell(always(status(500)))
	w := s.embedded()
	body := strings.Repeat("x", 200_000)
	for range 4 { // of 267 kB in base64
		s.broker.publish(t, call("fn1", body))
	}
	w.unready(t, "store_max_bytes")
	eventually(t, "the door to be shut", func() bool {
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(s.broker.port), time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	if c := w.counts(t); c.accepted != 4 || c.delayed+c.ready+c.inflight != 4 {
		t.Errorf("the counts are %+v", c)
	}
	if code, _ := w.ask(t, http.MethodGet, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz is answered %d", code)
	}
}

func TestTheEmbeddedDoorListensOnLoopbackUnlessTold(t *testing.T) {
	t.Parallel()
	s := newEmbedded(t)
	w := s.embedded()
	c, err := stan.Connect(defaultCluster, clientID(), stan.NatsURL(s.broker.url()))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	w.event(t, "the door", func(e entry) bool {
		return e.message() == "embedded door open" && strings.Contains(e.text("url"), "127.0.0.1")
	})
}
