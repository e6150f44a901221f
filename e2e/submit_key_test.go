// File submit_key_test.go submits with an Idempotency-Key.

package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

func TestAKeyRunsOnceHoweverOftenItIsSent(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		w := s.worker()
		var mu sync.Mutex
		ids := map[string]int{}
		var all sync.WaitGroup
		for n := range 20 {
			all.Go(func() {
				got, err := w.trySend("/async-function/fn1", "pay", "Idempotency-Key", "order-1", "X-Call-Id", fmt.Sprint("call-", n))
				switch {
				case err != nil:
					t.Errorf("the answer is %d %s %v, want no error", got.Status, got.Body, err)
					return
				case got.Status != http.StatusAccepted:
					t.Errorf("the answer is %d %s %v, want status %d", got.Status, got.Body, err, http.StatusAccepted)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				ids[got.Header.Get("X-Call-Id")+" "+got.Header.Get("X-Invocation-Id")]++
			})
		}
		all.Wait()
		if len(ids) != 1 {
			t.Fatalf("twenty times the same key was answered with %v, want 1", ids)
		}
		again := w.send(t, "/async-function/fn1.openfaas-fn", "pay", "Idempotency-Key", "order-1")
		w.next(t, again.message(), "done")
		switch other := w.send(t, "/async-function/fn1", "pay more", "Idempotency-Key", "order-1"); {
		case other.Status != 422:
			t.Errorf("another payload is answered %d %s, want status 422", other.Status, other.Body)
		case other.reason() != "key_reused":
			t.Errorf(`another payload is answered %d %s, want reason "key_reused"`, other.Status, other.Body)
		}
		w.submit(t, "/async-function/fn2", "pay", "Idempotency-Key", "order-1")
		w.idle(t)
		calls := s.gateway.calls()
		if len(calls) != 2 {
			t.Fatalf("there were %d calls, want 2 calls", len(calls))
		}
		if got := calls[0].Header.Get("Idempotency-Key"); got != "order-1" {
			t.Errorf(`the function sees the key %q, want "order-1"`, got)
		}
	})
}

// An attacker who knows key and body of another caller is first, with a callback of their own.
func TestAKeyOfAnotherCallerBringsNoResult(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		w := s.worker()
		theirs, mine := s.gateway.url()+"/async-function/theirs", s.gateway.url()+"/async-function/mine"
		attack := w.send(t, "/async-function/fn1", "pay", "Idempotency-Key", "order-1", "X-Callback-Url", theirs)
		if attack.Status != http.StatusAccepted {
			t.Fatalf("the attacker's request is answered %d %s, want %d", attack.Status, attack.Body, http.StatusAccepted)
		}
		w.next(t, attack.message(), "done")
		for name, header := range map[string][]string{
			"callback":    {"X-Callback-Url", mine},
			"credentials": {"X-Callback-Url", theirs, "Authorization", "Bearer mine"},
		} {
			got := w.send(t, "/async-function/fn1", "pay", append(header, "Idempotency-Key", "order-1")...)
			if got.Status != http.StatusUnprocessableEntity || got.reason() != "key_reused" || got.Header.Get("X-Invocation-Id") != "" {
				t.Errorf("the caller's request with another %s: got %d %s %v, want 422 key_reused", name, got.Status, got.Body, got.Header)
			}
		}
		w.idle(t)
		for _, c := range s.gateway.calls() {
			if auth := c.Header.Get("Authorization"); auth != "" {
				t.Errorf("%s was called with %q, want empty", c.URI, auth)
			}
		}
	})
}

func TestAKeySurvivesAKillAndEndsWithItsWindow(t *testing.T) {
	t.Parallel()
	s := newStand(t, "idempotency_window=3s")
	w := s.worker()
	begun := time.Now()
	first := w.submit(t, "/async-function/fn1", "pay", "Idempotency-Key", "k")
	w.kill()
	w = s.worker()
	again := w.send(t, "/async-function/fn1", "pay", "Idempotency-Key", "k")
	if time.Since(begun) < 3*time.Second && id(again.message()) != id(first) {
		t.Errorf("after a kill the answer is %d %v, the call was %s", again.Status, again.Header, id(first))
	}
	testkit.Eventually(t, "the key to be forgotten", func() bool {
		got := w.send(t, "/async-function/fn1", "pay", "Idempotency-Key", "k")
		return got.Status == http.StatusAccepted && id(got.message()) != id(first)
	})
	if took := time.Since(begun); took < 3*time.Second {
		t.Errorf("the key was forgotten after %s, want at least %v", took, 3*time.Second)
	}
}
