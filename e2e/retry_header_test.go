package e2e

// What the answer, or the message, says about retries.

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

func TestAnErrorOfOpenFaaSItselfIsRetriedWhateverItsStatus(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=1ms")
	internal := answer{Status: http.StatusBadRequest, Header: http.Header{"X-Openfaas-Internal": {"proxy"}}}
	s.gateway.tell(byRetry(internal, answer{}))
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "done")
	if n := len(s.gateway.of(m)); n != 2 {
		t.Errorf("there were %d calls, want 2", n)
	}
}

func TestRetryAfterMakesARetryWaitLonger(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer  answer
		setting string
		wait    time.Duration
	}{
		"seconds on a 429":        {retryAfter(429, "2"), "", 2 * time.Second},
		"seconds on a 503":        {retryAfter(503, "2"), "", 2 * time.Second},
		"no more than allowed":    {retryAfter(429, "3600"), "max_retry_after=1s", time.Second},
		"nonsense":                {retryAfter(429, "soon"), "", 100 * time.Millisecond},
		"less than the wait":      {retryAfter(429, "0"), "", 100 * time.Millisecond},
		"not on another status":   {retryAfter(500, "3600"), "", 100 * time.Millisecond},
		"a number beyond any bit": {retryAfter(503, "999999999999999999999999"), "max_retry_after=1s", time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, "initial_retry_wait=100ms", test.setting)
			s.gateway.tell(byRetry(test.answer, answer{}))
			w := s.worker()
			m := call("fn1", "")
			s.broker.publish(t, m)
			w.next(t, m, "done")
			checkWaits(t, s.gateway.of(m), test.wait)
			if got := w.plannedWaits(m); !slices.Equal(got, []string{test.wait.String()}) {
				t.Errorf("the wait was %v, want %s", got, test.wait)
			}
		})
	}
}

func TestRetryAfterMayBeADate(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=100ms")
	at := time.Now().Add(3 * time.Second).UTC().Truncate(time.Second)
	s.gateway.tell(byRetry(retryAfter(503, at.Format(http.TimeFormat)), answer{}))
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "done")
	if calls := s.gateway.of(m); calls[1].At.Before(at) {
		t.Errorf("the retry came at %s, the function had asked for %s, want not before %v", calls[1].At, at, at)
	}
}

func retryAfter(status int, value string) answer {
	return answer{Status: status, Header: http.Header{"Retry-After": {value}}}
}

func TestAnnotationsOfTheMessageComeBeforeTheSettings(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=1ms", "max_retry_attempts=1")
	s.gateway.tell(always(status(418)))
	w := s.worker()
	m := call("fn1", "", annotated(
		"com.openfaas.retry.attempts", "3", "com.openfaas.retry.codes", "418",
		"com.openfaas.retry.min_wait", "200ms", "com.openfaas.retry.max_wait", "300ms"))
	s.broker.publish(t, m)
	w.next(t, m, "dead")
	calls := s.gateway.of(m)
	if got := retries(calls); !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("the calls have the retry numbers %v, want %v", got, []int{0, 1, 2, 3})
	}
	checkWaits(t, calls, 200*time.Millisecond, 300*time.Millisecond)
	if got := w.plannedWaits(m); !slices.Equal(got, []string{"200ms", "300ms", "300ms"}) {
		t.Errorf("the waits were %v, want %v", got, []string{"200ms", "300ms", "300ms"})
	}
	if c := calls[0].Header.Get("X-Retry-Max"); c != "3" {
		t.Errorf(`X-Retry-Max is %q, want "3"`, c)
	}
}

func TestAnInvalidAnnotationLeavesTheSettingAndIsLoggedOnce(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=1ms", "max_retry_attempts=2")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	for range 2 {
		m := call("fn1", "", annotated("com.openfaas.retry.attempts", "many"))
		s.broker.publish(t, m)
		w.next(t, m, "dead")
		if n := len(s.gateway.of(m)); n != 3 {
			t.Errorf("there were %d calls, want 3", n)
		}
	}
	logged := 0
	lines, _ := w.out.since(0)
	for _, l := range lines {
		if parse(l).text("annotation") == "com.openfaas.retry.attempts" {
			logged++
		}
	}
	if logged != 1 {
		t.Errorf("it is logged %d times, want 1", logged)
	}
}

func TestAnAnswerThatNeverCameCountsAs503(t *testing.T) {
	t.Parallel()
	for name, hostile := range map[string]answer{
		"hangs up": {Hangup: true},
		"is slow":  {Delay: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, "initial_retry_wait=10ms", "upstream_timeout=500ms", "max_retry_attempts=1", "retry_http_codes=599")
			s.gateway.tell(byRetry(hostile))
			w := s.worker()
			m := call("fn1", "")
			s.broker.publish(t, m)
			w.next(t, m, "dead")
			letter := w.deadSet(t).only(t)
			switch {
			case letter.Reason != "attempts_exhausted":
				t.Errorf(`the dead letter is %+v, want reason "attempts_exhausted"`, letter)
			case letter.Status != 503:
				t.Errorf("the dead letter is %+v, want status 503", letter)
			case len(letter.Attempts) != 2:
				t.Errorf("the dead letter is %+v, want 2 attempts", letter)
			}
		})
	}
}
