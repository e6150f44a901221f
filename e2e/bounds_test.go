package e2e

// What happens at the limits.

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

func TestWithoutADataDirNoMoreLiesUnsettledThanAllowed(t *testing.T) {
	t.Parallel()
	s := newStand(t, "data_dir=", "max_unsettled=5", "max_inflight=2")
	tell, release := held("slow")
	s.gateway.tell(tell)
	w := s.worker()
	want := map[*message]int{}
	for range 20 {
		m := call("slow", "")
		s.broker.publish(t, m)
		want[m] = 1
	}
	w.unready(t, "max_unsettled")
	if c := w.counts(t); c.accepted > 5 {
		t.Errorf("%v messages are taken in, want at most 5", c.accepted)
	}
	if n := w.metrics(t).sum("queue_worker_intake_resting"); n != 1 {
		t.Errorf("queue_worker_intake_resting is %v, want 1", n)
	}
	release()
	for m := range want {
		w.next(t, m, "done")
	}
	w.ready(t)
	w.idle(t)
	checkCalled(t, s, want)
}

func TestAFullStoreTakesNothingMoreUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	s := newStand(t, "store_max_bytes=1MiB", "max_retry_attempts=0")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	body := strings.Repeat("x", 200_000)
	s.bury(w, "fn1", body, body, body, body) // of 267 kB in base64
	w.unready(t, "store_max_bytes")
	s.gateway.tell(always(answer{}))
	waiting := call("fn2", body)
	s.broker.publish(t, waiting) // NATS Streaming has it
	if c := w.counts(t); c.accepted != 4 {
		t.Errorf("%v messages are taken in, want 4", c.accepted)
	}
	if code := w.deadSet(t)[0].drop(t, w); code != http.StatusOK {
		t.Errorf("the drop is answered %d, want %d", code, http.StatusOK)
	}
	w.next(t, waiting, "done")
	w.ready(t)
	switch c := w.idle(t); {
	case c.accepted != 5:
		t.Errorf("the counts are %+v, want accepted 5", c)
	case c.done != 1:
		t.Errorf("the counts are %+v, want done 1", c)
	case c.dropped != 1:
		t.Errorf("the counts are %+v, want dropped 1", c)
	case c.dead != 3:
		t.Errorf("the counts are %+v, want dead 3", c)
	}
	checkCalled(t, s, map[*message]int{waiting: 1})
}

func TestEmbeddedNATSIsClosedWhileTheStoreIsFull(t *testing.T) {
	t.Parallel()
	s := newEmbedded(t, "store_max_bytes=1MiB", "max_retry_attempts=0")
	s.gateway.tell(always(status(500)))
	w := s.embedded()
	body := strings.Repeat("x", 200_000)
	s.bury(w, "fn1", body, body, body, body)
	w.unready(t, "store_max_bytes")
	testkit.Eventually(t, "the embedded server to refuse connections", func() bool {
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(s.broker.port), time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	if code := w.deadSet(t)[0].replay(t, w); code != http.StatusOK { // what is there can be worked on
		t.Errorf("the replay is answered %d, want %d", code, http.StatusOK)
	}
	s.gateway.awaitDone(t, 5)
	for _, l := range w.deadSet(t) {
		if code := l.drop(t, w); code != http.StatusOK {
			t.Errorf("the drop is answered %d, want %d", code, http.StatusOK)
		}
	}
	w.ready(t)
	s.gateway.tell(always(answer{}))
	after := call("fn1", body)
	s.broker.publisher = nil // its connection was cut
	s.broker.publish(t, after)
	w.next(t, after, "done")
}

func TestOldDeadLettersAreDroppedAndCounted(t *testing.T) {
	t.Parallel()
	s := newStand(t, "dead_set_max_age=1s", "max_retry_attempts=0")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	s.bury(w, "fn1", "a", "b")
	died := w.deadSet(t)[1].DiedAt
	testkit.Eventually(t, "the dead set to be empty", func() bool { return w.counts(t).dead == 0 })
	if age := time.Since(died); age < time.Second {
		t.Errorf("a letter of %s was dropped, want at least %v", age, time.Second)
	}
	switch c := w.counts(t); {
	case c.dropped != 2:
		t.Errorf("the counts are %+v, want dropped 2", c)
	case c.accepted != 2:
		t.Errorf("the counts are %+v, want accepted 2", c)
	}
}
