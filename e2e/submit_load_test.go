package e2e

// Submissions while processes are killed: each that was answered 202 is called.

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"queue-worker/internal/testkit"
)

// senders send invocations over HTTP until they are stopped, and note which were
// taken.
type senders struct {
	mu    sync.Mutex
	taken []string // call ids
	next  int
	round sync.WaitGroup
}

// start lets n senders send to a worker. Each ends with the first request that the
// worker does not answer, or when stop is closed.
func (s *senders) start(w *worker, n int, stop <-chan struct{}) {
	for range n {
		s.round.Go(func() {
			for !isClosed(stop) {
				s.mu.Lock()
				s.next++
				callID := fmt.Sprintf("call-%d", s.next)
				s.mu.Unlock()
				path := []string{"/async-function/fn1", "/deadletter/fn2"}[len(callID)%2]
				got, err := w.trySend(path, callID, "X-Call-Id", callID, "X-Delay-Duration", "0")
				if err != nil {
					return
				}
				if got.Status == http.StatusAccepted {
					s.mu.Lock()
					s.taken = append(s.taken, callID)
					s.mu.Unlock()
				}
			}
		})
	}
}

func (s *senders) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.taken)
}

// await waits until n more were taken.
func (s *senders) await(t testing.TB, n int) {
	t.Helper()
	n += s.count()
	testkit.Eventually(t, fmt.Sprintf("%d submissions to be taken", n), func() bool { return s.count() >= n })
}

// checkCalled fails when one that was taken is never called.
func (s *senders) checkCalled(t testing.TB, g *stub) {
	t.Helper()
	g.awaitThat(t, "every submission that was answered with 202", func(all []asked) bool {
		seen := map[string]bool{}
		for _, a := range all {
			seen[a.callID()] = true
		}
		for _, callID := range s.taken {
			if !seen[callID] {
				return false
			}
		}
		return true
	})
}

func TestEvery202IsCalledWhenTheWorkerIsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		var load senders
		for range 3 {
			w := s.worker()
			load.start(w, 6, nil)
			load.await(t, 40)
			w.kill()
			load.round.Wait()
		}
		w := s.worker()
		load.checkCalled(t, s.gateway)
		w.idle(t)
	})
}

func TestR12_Every202IsCalledWhenTheQueueIsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	s := newStand(t, "data_dir=")
	w := s.worker()
	var load senders
	stop := make(chan struct{})
	load.start(w, 6, stop)
	for range 3 {
		load.await(t, 40)
		s.broker.restart(t)
		w.ready(t)
	}
	load.await(t, 40)
	close(stop)
	load.round.Wait()
	load.checkCalled(t, s.gateway)
	w.idle(t)
}

// TestNoSecretOfASubmissionIsLogged sends canaries where secrets stand, well and
// badly, and looks for them in all that the worker says.
func TestNoSecretOfASubmissionIsLogged(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		const canary = "CANARY"
		s, target := newStand(t, "debug=true", "max_retry_attempts=0", "max_request_bytes=4KiB", mode), newStub(t)
		s.gateway.tell(func(a asked) answer {
			if a.Function == "bad" {
				return answer{Status: 500, Body: canary}
			}
			return answer{Body: canary}
		})
		target.tell(always(answer{Status: 400, Body: canary}))
		w := s.worker()
		url := strings.Replace(target.url(), "http://", "http://user:"+canary+"@", 1) + "/cb?token=" + canary
		for _, path := range []string{"/async-function/good", "/async-function/bad", "/async-function/b%20ad", "/deadletter/good", "/deadletter/bad", "/deadletter/b%20ad"} {
			for _, header := range [][]string{nil, {"X-Max-Retries", canary}, {"X-Delay-Duration", canary}, {"X-Not-Before", canary}, {"X-Call-Id", strings.Repeat(canary, 100)}} {
				w.send(t, path+"?token="+canary, canary, append([]string{
					"Authorization", "Bearer " + canary, "Cookie", canary, "Idempotency-Key", canary, "X-Callback-Url", url, "X-Delay-Duration", "0", "X-Max-Retries", "1",
				}, header...)...)
			}
			w.send(t, path, strings.Repeat(canary, 1000))
		}
		for _, body := range []string{
			`{"message":"` + canary + `","callback_url":"` + url + `"}`, `{"message":"` + canary, `{"message":"","callback_url":"ftp://` + canary + `"}`, `{"message":"","callback_url":"http://` + canary + `@ho st"}`,
		} {
			w.send(t, "/queue/producer/", body)
		}
		if got := w.send(t, "/async-function/good", canary, "X-Callback-Url", "http://"+canary+"@[::1"); strings.Contains(got.Body, canary) {
			t.Errorf("an answer repeats a secret: %s, want no %q in it", got.Body, canary)
		}
		testkit.Eventually(t, "all to be over", func() bool { return w.counts(t).pending() == 0 })
		_, metrics := w.ask(t, http.MethodGet, "/metrics")
		for what, text := range map[string]string{"the log": w.out.String(), "/metrics": metrics} {
			if i := strings.Index(text, canary); i >= 0 {
				t.Errorf("%s holds a secret: %s, want i below 0", what, text[max(0, i-200):min(len(text), i+100)])
			}
		}
	})
}
