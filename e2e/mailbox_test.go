package e2e

// The mailbox: POST /deadletter/{fn}.

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

// checkMailFields compares the headers of M5 in a call.
func checkMailFields(t testing.TB, a asked, retries, most, delay string) {
	t.Helper()
	for name, want := range map[string]string{"X-Retries": retries, "X-Max-Retries": most, "X-Delay-Duration": delay} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestM1_M2_M3_M5_OneDeliveryAfterTheDelay(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		w := s.worker()
		posted := time.Now().Round(0)
		got := w.send(t, "/deadletter/fn1", "hi", "X-Retries", "1", "X-Max-Retries", "9", "X-Delay-Duration", "2")
		if got.Status != http.StatusAccepted || got.Body != "" {
			t.Fatalf("got %d %q, want 202 without a body", got.Status, got.Body)
		}
		w.next(t, got.message(), "done")
		w.idle(t)
		all := s.gateway.all()
		if len(all) != 1 {
			t.Fatalf("got %d calls, want 1", len(all))
		}
		a := all[0]
		if got := a.Method + " " + a.URI; got != "POST /function/fn1/" {
			t.Errorf("got the call %s, want POST /function/fn1/", got)
		}
		if got := a.body(); got != "hi" {
			t.Errorf("got the body %q, want hi", got)
		}
		if got := a.At.Sub(posted); got < 2*time.Second {
			t.Errorf("got the call after %s, want it after 2s or more", got)
		}
		if got.At.After(a.At) {
			t.Errorf("got the answer at %s, want it before the call at %s", got.At, a.At)
		}
		checkMailFields(t, a, "2", "9", "2")
	})
}

func TestM4_ABodyOfAnyBytesArrivesAsItWas(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	body := make([]byte, 1<<20)
	_, _ = rand.Read(body) // never an error
	w.next(t, w.submit(t, "/deadletter/fn1", string(body), "X-Delay-Duration", "0"), "done")
	if got := s.gateway.all()[0].Body; string(got) != string(body) {
		t.Errorf("got %d other bytes, want the %d that were sent", len(got), len(body))
	}
}

func TestM6_M7_M8_WithoutHeadersTheDelayIsFourSeconds(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		w := s.worker()
		posted := time.Now().Round(0)
		plain := w.submit(t, "/deadletter/fn1", "")
		now := w.submit(t, "/deadletter/fn2", "", "X-Delay-Duration", "0")
		w.next(t, now, "done")
		w.next(t, plain, "done")
		a := s.gateway.of(plain)[0]
		if got := a.At.Sub(posted); got < 4*time.Second {
			t.Errorf("got the call after %s, want it after 4s or more", got)
		}
		checkMailFields(t, a, "1", "", "4")
		checkMailFields(t, s.gateway.of(now)[0], "1", "", "0")
	})
}

func TestM9_AFailedDeliveryIsRepeatedAfterTheSameDelay(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_wait=1s", "initial_retry_wait=1ms", "max_retry_attempts=0") // not for the mailbox
	s.gateway.tell(func(a asked) answer {
		if a.Header.Get("X-Retries") != "3" {
			return status(500)
		}
		return status(202)
	})
	w := s.worker()
	m := w.submit(t, "/deadletter/fn1", "", "X-Retries", "0", "X-Delay-Duration", "1")
	w.next(t, m, "done")
	w.idle(t)
	all := s.gateway.all()
	if len(all) != 3 {
		t.Fatalf("got %d calls, want 3", len(all))
	}
	checkWaits(t, all, time.Second)
	for n, a := range all {
		checkMailFields(t, a, strconv.Itoa(1+n), "", "1")
	}
}

func TestM10_AGatewayThatIsDownIsWaitedFor(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		w := s.worker()
		s.gateway.close()
		m := w.submit(t, "/deadletter/fn1", "hi", "X-Delay-Duration", "1")
		w.next(t, m, "retry")
		s.gateway.open()
		w.next(t, m, "done")
		w.idle(t)
		if n := len(s.gateway.all()); n != 1 {
			t.Errorf("got %d calls, want 1", n)
		}
	})
}

func TestM11_WithNoRetriesLeftItIsDeadOnArrival(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		w := s.worker()
		w.submit(t, "/deadletter/fn1", "hi", "X-Retries", "3", "X-Max-Retries", "3", "X-Delay-Duration", "0")
		testkit.Eventually(t, "it to be in the dead set", func() bool { return w.counts(t).dead == 1 })
		l := w.deadSet(t).only(t)
		if l.Reason != "attempts_exhausted" || l.Detail == "" {
			t.Errorf("got the reason %q with the detail %q, want attempts_exhausted with one", l.Reason, l.Detail)
		}
		if l.Topic != "fn1" || l.body() != "hi" || len(l.Attempts) != 0 {
			t.Errorf("got %s, want one of fn1 with the body hi and no attempts", l)
		}
		w.idle(t)
		if n := len(s.gateway.all()); n != 0 {
			t.Errorf("got %d calls, want 0", n)
		}
	})
}

func TestM12_AfterItsLimitItIsDead(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		s.gateway.tell(always(status(500)))
		w := s.worker()
		m := w.submit(t, "/deadletter/fn1", "", "X-Retries", "0", "X-Max-Retries", "2", "X-Delay-Duration", "1")
		w.next(t, m, "dead")
		all := s.gateway.all()
		if len(all) != 2 {
			t.Fatalf("got %d calls, want 2", len(all))
		}
		checkMailFields(t, all[0], "1", "2", "1")
		checkMailFields(t, all[1], "2", "2", "1")
		if l := w.deadSet(t).only(t); l.Reason != "attempts_exhausted" || l.Status != 500 || len(l.Attempts) != 2 {
			t.Errorf("got %s, want attempts_exhausted with status 500 and 2 attempts", l)
		}
	})
}

func TestM13_Every2xxIsASuccess(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	for n, code := range []int{200, 201, 202, 204, 299} {
		s.gateway.tell(always(status(code)))
		w.next(t, w.submit(t, "/deadletter/fn1", "", "X-Delay-Duration", "0"), "done")
		w.idle(t) // so nothing can come later
		if got := len(s.gateway.all()); got != n+1 {
			t.Errorf("after %d: got %d calls, want %d", code, got, n+1)
		}
	}
	s.gateway.tell(always(answer{Status: 302, Header: http.Header{"Location": {"/elsewhere"}}}))
	w.next(t, w.submit(t, "/deadletter/fn1", "", "X-Max-Retries", "1", "X-Delay-Duration", "0"), "dead")
}

func TestM14_HeadersThatAreNoNumbersAreRefused(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	for _, name := range []string{"X-Delay-Duration", "X-Retries", "X-Max-Retries"} {
		for _, value := range []string{"soon", "1.5", "-5", "+1", "", "0x1", "1e9", "1 2", "99999999999", "9223372036854775808", "99999999999999999999999"} {
			got := w.send(t, "/deadletter/fn1", "hi", name, value)
			if got.Status != http.StatusBadRequest || !strings.Contains(got.Body, name) || strings.HasPrefix(got.Body, "{") {
				t.Errorf("%s: %q: got %d %q, want 400 with a text that names it", name, value, got.Status, got.Body)
			}
		}
	}
	w.untouched(t)
}

func TestM15_M16_M17_OnlyAPOSTToAFunctionIsAccepted(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"POST", "/deadletter/", 404}, {"POST", "/deadletter", 404}, {"POST", "/deadletter/a/b", 404}, {"POST", "/deadletter//", 404},
		{"POST", "/deadletter/x%3Fq=1", 400}, {"POST", "/deadletter/a%20b", 400}, {"POST", "/deadletter/a%2Fb", 400}, {"POST", "/deadletter/-a", 400},
		{"POST", "/deadletter/a%0d%0ab", 400}, {"POST", "/deadletter/" + strings.Repeat("a", 300), 400},
		{"GET", "/deadletter/fn1", 405}, {"PUT", "/deadletter/fn1", 405}, {"DELETE", "/deadletter/fn1", 405}, {"OPTIONS", "/deadletter/fn1", 405},
	} {
		code, body := w.ask(t, tt.method, tt.path)
		if code != tt.want || len(body) < 10 || strings.HasPrefix(body, "{") {
			t.Errorf("%s %s: got %d %q, want %d with a text", tt.method, tt.path, code, body, tt.want)
		}
	}
	w.untouched(t)
	if n := len(s.gateway.all()); n != 0 {
		t.Errorf("got %d requests at the gateway, want 0", n)
	}
}

func TestM18_ADelayedDeliverySurvivesAKill(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		w := s.worker()
		posted := time.Now().Round(0)
		m := w.submit(t, "/deadletter/fn1", "hi", "X-Retries", "4", "X-Max-Retries", "9", "X-Delay-Duration", "3")
		w.kill()
		w = s.worker()
		w.next(t, m, "done")
		w.idle(t)
		all := s.gateway.of(m)
		if len(all) != 1 {
			t.Fatalf("got %d calls, want 1", len(all))
		}
		if got := all[0].At.Sub(posted); got < 3*time.Second {
			t.Errorf("got the call after %s, want it after 3s or more", got)
		}
		checkMailFields(t, all[0], "5", "9", "3")
	})
}

func TestM19_ACallInFlightIsNotRepeatedByALaterPost(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	release := make(chan struct{})
	s.gateway.tell(always(answer{Until: release}))
	w := s.worker()
	a := w.submit(t, "/deadletter/fn1", "A", "X-Delay-Duration", "0")
	s.gateway.await(t, 1)
	w.submit(t, "/deadletter/fn1", "B", "X-Delay-Duration", "60")
	close(release)
	w.next(t, a, "done")
	if c := w.counts(t); c.delayed != 1 || c.ready+c.inflight != 0 {
		t.Errorf("got %+v, want 1 delayed and nothing else pending", c)
	}
	if got := len(s.gateway.all()); got != 1 {
		t.Errorf("got %d calls, want 1", got)
	}
}

func TestM20_ASlowFunctionDelaysNoOther(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	release := make(chan struct{})
	s.gateway.tell(func(a asked) answer {
		if a.Function == "fn1" {
			return answer{Until: release}
		}
		return answer{}
	})
	w := s.worker()
	slow := w.submit(t, "/deadletter/fn1", "", "X-Delay-Duration", "0")
	s.gateway.await(t, 1)
	w.next(t, w.submit(t, "/deadletter/fn2", "", "X-Delay-Duration", "0"), "done")
	close(release)
	w.next(t, slow, "done")
}

func TestM22_TheDepthOfTheMailboxIsAGauge(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	release := make(chan struct{})
	s.gateway.tell(always(answer{Until: release}))
	w := s.worker()
	depth := func() float64 {
		m := w.metrics(t)
		if m["mailbox_queue_depth"] == nil {
			t.Fatal("got no mailbox_queue_depth, want it from the start")
		}
		return m.sum("mailbox_queue_depth")
	}
	if n := depth(); n != 0 {
		t.Errorf("at the start: got a depth of %v, want 0", n)
	}
	var all []*message
	for range 3 {
		all = append(all, w.submit(t, "/deadletter/fn1", "", "X-Delay-Duration", "2"))
	}
	w.submit(t, "/async-function/fn1", "") // not the mailbox's
	if n := depth(); n != 3 {
		t.Errorf("after three posts: got a depth of %v, want 3", n)
	}
	close(release)
	for _, m := range all {
		w.next(t, m, "done")
	}
	w.idle(t)
	if n := depth(); n != 0 {
		t.Errorf("after their delivery: got a depth of %v, want 0", n)
	}
}

func TestM26_ABodyThatIsCutOffIsNotAccepted(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	for _, path := range []string{"/deadletter/fn1", "/async-function/fn1", "/queue/producer/"} {
		if got := w.half(t, path, "hello"); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
			t.Errorf("%s: got %q, want 400", path, got)
		}
	}
	w.untouched(t)
}
