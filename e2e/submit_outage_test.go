package e2e

// Work that is sent when it cannot be taken, and what was taken before a kill.

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"queue-worker/internal/testkit"
)

func TestR12_AFullStoreRefusesUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, "store_max_bytes=1MiB", mode)
		release := make(chan struct{})
		s.gateway.tell(func(a asked) answer {
			if a.Function == "" {
				return answer{}
			}
			return answer{Until: release}
		})
		w := s.worker()
		var taken []*message
		var refused sent
		for refused.Status == 0 {
			got := w.send(t, "/async-function/fn1", strings.Repeat("x", 100<<10))
			if got.Status == http.StatusAccepted {
				taken = append(taken, got.message())
				continue
			}
			refused = got
		}
		switch {
		case refused.Status != 503:
			t.Errorf("a full store answers %d %v %s, want status 503", refused.Status, refused.Header, refused.Body)
		case refused.reason() != "store_full":
			t.Errorf(`a full store answers %d %v %s, want reason "store_full"`, refused.Status, refused.Header, refused.Body)
		case refused.Header.Get("Retry-After") == "":
			t.Errorf("a full store answers %d %v %s, want Retry-After not empty", refused.Status, refused.Header, refused.Body)
		case !strings.Contains(refused.Body, "store_max_bytes"):
			t.Errorf(`a full store answers %d %v %s, want "store_max_bytes" in it`, refused.Status, refused.Header, refused.Body)
		}
		for _, path := range []string{"/deadletter/fn1", "/queue/producer/"} {
			switch got := w.send(t, path, "x"); {
			case got.Status != 503:
				t.Errorf("%s is answered %d %s, want status 503", path, got.Status, got.Body)
			case got.Header.Get("Retry-After") == "":
				t.Errorf("%s is answered %d %s, want Retry-After not empty", path, got.Status, got.Body)
			}
		}
		close(release)
		for _, m := range taken {
			w.next(t, m, "done")
		}
		var after *message
		testkit.Eventually(t, "work to be taken again", func() bool {
			got := w.send(t, "/async-function/fn1", "x")
			after = got.message()
			return got.Status == http.StatusAccepted
		})
		w.next(t, after, "done")
		w.idle(t)
		for _, m := range taken {
			if n := len(s.gateway.of(m)); n != 1 {
				t.Errorf("a submission was called %d times, want 1", n)
			}
		}
	})
}

func TestR12_O7_WithoutTheQueueASubmissionIs503AndNothingIsLost(t *testing.T) {
	t.Parallel()
	s := newStand(t, "data_dir=")
	w := s.worker()
	first := w.submit(t, "/async-function/fn1", "", "X-Delay-Duration", "1")
	s.broker.kill()
	var refused sent
	testkit.Eventually(t, "a submission to be refused", func() bool {
		// Until the loss is noticed nothing is confirmed, and nothing is answered 202.
		refused = w.send(t, "/async-function/lost", "")
		switch {
		case refused.Status != http.StatusServiceUnavailable:
			t.Errorf("without NATS Streaming the answer is %d %s, want status %d", refused.Status, refused.Body, http.StatusServiceUnavailable)
		case refused.Header.Get("Retry-After") == "":
			t.Errorf("without NATS Streaming the answer is %d %s, want Retry-After not empty", refused.Status, refused.Body)
		}
		return refused.reason() == "not_connected"
	})
	if code, body := w.ask(t, http.MethodGet, "/ping"); code != http.StatusOK {
		t.Errorf("/ping answers %d %s, want %d", code, body, http.StatusOK)
	}
	for _, path := range []string{"/deadletter/fn1", "/queue/producer"} {
		switch got := w.send(t, path, `{"message":"x","callback_url":"http://h/"}`); {
		case got.Status != 503:
			t.Errorf("%s answers %d %s, want status 503", path, got.Status, got.Body)
		case got.Header.Get("Retry-After") == "":
			t.Errorf("%s answers %d %s, want Retry-After not empty", path, got.Status, got.Body)
		}
	}
	s.broker.start(t)
	w.ready(t)
	w.next(t, w.submit(t, "/async-function/fn1", ""), "done")
	w.next(t, first, "done")
	w.idle(t)
	for _, a := range s.gateway.calls() {
		if a.Function == "lost" {
			t.Errorf(`what was refused is called: got function %v, want other than "lost"`, a.Function)
		}
	}
}

func TestO7_WithADataDirASubmissionNeedsNoQueue(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.broker.kill()
	w := s.launch(plainBinary)
	w.unready(t, "NATS Streaming")
	w.next(t, w.submit(t, "/async-function/fn1", "hi"), "done")
	w.next(t, w.submit(t, "/deadletter/fn1", "hi", "X-Delay-Duration", "0"), "done")
}

func TestNothingIsLostWhenTheWorkerIsKilledRightAfterIts202(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, "initial_retry_wait=10ms", mode)
		var taken []*message
		for n := range 12 {
			w := s.worker()
			path := []string{"/async-function/fn1", "/deadletter/fn1"}[n%2]
			taken = append(taken, w.submit(t, path, fmt.Sprint(n), "X-Delay-Duration", "0"))
			w.kill()
		}
		w := s.worker()
		w.idle(t)
		s.gateway.awaitThat(t, "every call", func(all []asked) bool {
			seen := map[string]bool{}
			for _, a := range all {
				seen[a.callID()] = true
			}
			for _, m := range taken {
				if !seen[id(m)] {
					return false
				}
			}
			return true
		})
		for n, m := range taken {
			a := s.gateway.of(m)
			kills := len(taken) - n // each may find it in flight
			if len(a) == 0 || len(a) > 1+kills || string(a[0].Body) != fmt.Sprint(n) {
				t.Errorf("submission %d: got %d calls, want 1 to %d", n, len(a), 1+kills)
			}
		}
	})
}

func TestADrainingWorkerTakesNothingMore(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		release := make(chan struct{})
		s.gateway.tell(func(a asked) answer {
			if a.Function == "slow" {
				return answer{Until: release}
			}
			return answer{}
		})
		w := s.worker()
		m := w.submit(t, "/async-function/slow", "")
		s.gateway.awaitThat(t, "the slow call", func(all []asked) bool {
			return slices.ContainsFunc(all, func(a asked) bool { return a.Function == "slow" })
		})
		w.signal(t, syscall.SIGTERM)
		w.unready(t, "draining")
		for _, path := range []string{"/async-function/fn1", "/deadletter/fn1", "/queue/producer"} {
			switch got := w.send(t, path, "x"); {
			case got.Status != 503:
				t.Errorf("%s is answered %d %s, want status 503", path, got.Status, got.Body)
			case got.Header.Get("Retry-After") == "":
				t.Errorf("%s is answered %d %s, want Retry-After not empty", path, got.Status, got.Body)
			}
		}
		close(release)
		w.next(t, m, "done")
		if code := w.exit(t); code != 0 {
			t.Errorf("it ends with %d, want 0", code)
		}
	})
}
