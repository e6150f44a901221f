package e2e

// How functions and messages say how they want to be called.

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAFunctionSaysByAnnotationsHowItIsRetried(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=1", "initial_retry_wait=40ms", "max_retry_wait=80ms")
	const ofOpenFaaS, ours = "com.openfaas.retry.", "queue-worker."
	s.gateway.annotate(annotations{
		"plain":    nil,
		"attempts": {ofOpenFaaS + "attempts": "3"},
		"codes":    {ofOpenFaaS + "codes": "4xx,!404"},
		"waits":    {ofOpenFaaS + "attempts": "3", ofOpenFaaS + "min_wait": "20ms", ofOpenFaaS + "max_wait": "50ms"},
		"backoff":  {ofOpenFaaS + "attempts": "3", ours + "backoff": "constant"},
		"dead":     {ours + "dead_codes": "5xx"},
		"age":      {ofOpenFaaS + "attempts": "9", ofOpenFaaS + "min_wait": "30s", ofOpenFaaS + "max_wait": "30s", ours + "max_age": "20s"},
		"wrong":    {ofOpenFaaS + "attempts": "many", ours + "rate": "0"},
	})
	w := s.worker()
	for _, tt := range []struct {
		function string
		answers  int
		calls    int
		next     string
		reason   string
		waits    []string
	}{
		{"plain", 500, 2, "dead", "attempts_exhausted", []string{"40ms"}},
		{"attempts", 500, 4, "dead", "attempts_exhausted", []string{"40ms", "80ms", "80ms"}},
		{"codes", 418, 2, "dead", "attempts_exhausted", []string{"40ms"}},
		{"codes", 404, 1, "dead", "non_retryable", nil},
		{"codes", 500, 1, "dead", "non_retryable", nil}, // they replace the worker's
		{"waits", 500, 4, "dead", "attempts_exhausted", []string{"20ms", "40ms", "50ms"}},
		{"backoff", 500, 4, "dead", "attempts_exhausted", []string{"40ms", "40ms", "40ms"}},
		{"dead", 404, 1, "discarded", "non_retryable", nil},
		{"age", 500, 1, "dead", "max_age_exceeded", nil},
		{"wrong", 500, 2, "dead", "attempts_exhausted", []string{"40ms"}},
		{"wrong", 500, 2, "dead", "attempts_exhausted", []string{"40ms"}},
	} {
		s.gateway.tell(always(status(tt.answers)))
		m := call(tt.function, "")
		s.broker.publish(t, m)
		end := w.next(t, m, tt.next)
		if n := len(s.gateway.of(m)); n != tt.calls || end.text("reason") != tt.reason {
			t.Errorf("%s, answering %d: %d calls, then %s; want %d, %s", tt.function, tt.answers, n, end.text("reason"), tt.calls, tt.reason)
		}
		if got := w.plannedWaits(m); !slices.Equal(got, tt.waits) {
			t.Errorf("%s waits %v, want %v", tt.function, got, tt.waits)
		}
	}
	logged := map[string]int{}
	for l := range strings.Lines(w.out.String()) {
		if e := parse(l); e.text("annotation") != "" {
			logged[e.text("function")+" "+e.text("annotation")]++
		}
	}
	switch {
	case len(logged) != 2:
		t.Errorf("logged of wrong annotations: %v, want 2 logged", logged)
	case logged["wrong com.openfaas.retry.attempts"] != 1:
		t.Errorf(`logged of wrong annotations: %v, want logged["wrong com.openfaas.retry.attempts"] 1`, logged)
	case logged["wrong queue-worker.rate"] != 1:
		t.Errorf(`logged of wrong annotations: %v, want logged["wrong queue-worker.rate"] 1`, logged)
	}
	deadline, err := time.Parse(time.RFC3339, s.gateway.callsOf("age")[0].Header.Get("X-Deadline"))
	switch {
	case err != nil:
		t.Errorf("the function got the deadline %s, %v, want no error", deadline, err)
	case time.Until(deadline) > 20*time.Second:
		t.Errorf("the function got the deadline %s, %v, want time.Until(deadline) at most %v", deadline, err, 20*time.Second)
	}
}

func TestAFunctionSaysByAnnotationsHowFastItIsCalled(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	s.gateway.annotate(annotations{
		"one":   {"queue-worker.max_inflight": "1"},
		"rated": {"queue-worker.rate": "5"},
		"brief": {"queue-worker.timeout": "200ms"},
	})
	s.gateway.tell(func(a asked) answer {
		if a.Function == "brief" {
			return answer{Delay: patience}
		}
		return answer{Delay: 20 * time.Millisecond}
	})
	w := s.worker()
	brief := call("brief", "", with("X-Timeout", "90s"))
	s.broker.publish(t, brief)
	for range 8 {
		s.broker.publish(t, call("one", ""), call("rated", ""))
	}
	if end := w.next(t, brief, "dead"); end.text("cause") != "timeout" {
		t.Errorf(`a call beyond its time ends with %v, want cause "timeout"`, end)
	}
	if logged := s.gateway.of(brief)[0].Header.Values("X-Timeout"); !slices.Equal(logged, []string{"200ms"}) {
		t.Errorf("the function got X-Timeout %q, want %v", logged, []string{"200ms"})
	}
	w.idle(t)
	if n := mostOf(s.gateway.callsOf("one")); n != 1 {
		t.Errorf("%d calls of one at a time, want 1", n)
	}
	rated := s.gateway.callsOf("rated")
	// 8 calls at 5 a second; each may come a wake-up too early or too late.
	switch took := rated[len(rated)-1].At.Sub(rated[0].At); {
	case len(rated) != 8:
		t.Errorf("%d calls within %s, want 8 rated", len(rated), took)
	case took < 1200*time.Millisecond:
		t.Errorf("%d calls within %s, want at least %v", len(rated), took, 1200*time.Millisecond)
	}
}

// mostOf is the largest number of calls that were being answered at once.
func mostOf(calls []asked) int {
	most := 0
	for _, c := range calls {
		n := 0
		for _, o := range calls {
			if !o.At.After(c.At) && o.Done.After(c.At) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func TestAMessageMayAskForLessAndWhereItIsTrustedForMore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		setting string
		limits  map[string]int // calls by X-Retry-Limit
		age     string         // reason with an X-Max-Age above the function's
	}{
		{"header_policy=lower", map[string]int{"0": 1, "1": 2, "5": 3, "-1": 3}, "max_age_exceeded"},
		{"header_policy=trust", map[string]int{"0": 1, "1": 2, "5": 6, "-1": 3}, "attempts_exhausted"},
	} {
		t.Run(tt.setting, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, tt.setting, "initial_retry_wait=20ms", "max_retry_wait=20ms")
			s.gateway.annotate(annotations{
				"fn1": {"com.openfaas.retry.attempts": "2"},
				"fn2": {"com.openfaas.retry.attempts": "1", "com.openfaas.retry.min_wait": "1500ms", "queue-worker.max_age": "1s"},
			})
			s.gateway.tell(always(status(500)))
			w := s.worker()
			for limit, want := range tt.limits {
				m := call("fn1", "", with("X-Retry-Limit", limit))
				s.broker.publish(t, m)
				w.next(t, m, "dead")
				if n := len(s.gateway.of(m)); n != want {
					t.Errorf("X-Retry-Limit %s: %d calls, want %d", limit, n, want)
				}
			}
			m := call("fn2", "", with("X-Max-Age", "1h"))
			s.broker.publish(t, m)
			if end := w.next(t, m, "dead"); end.text("reason") != tt.age {
				t.Errorf("X-Max-Age above the function's: dead of %s, want %v", end.text("reason"), tt.age)
			}
			m = call("fn1", "", with("X-Max-Age", "0.01s"))
			s.broker.publish(t, m)
			if end := w.next(t, m, "dead"); end.text("reason") != "max_age_exceeded" {
				t.Errorf(`X-Max-Age below any wait: dead of %s, want "max_age_exceeded"`, end.text("reason"))
			}
			switch text := w.out.String(); {
			case strings.Contains(text, "0.01s"):
				t.Errorf(`log: got %q, want no value of a header ("0.01s") in it`, text)
			case strings.Count(text, `"header":"X-Retry-Limit"`) != 1:
				t.Errorf("warnings of a wrong X-Retry-Limit: got %d, want 1", strings.Count(text, `"header":"X-Retry-Limit"`))
			}
		})
	}
}

func TestTheAPIAndTheCommandLineTellWhereEachValueIsFrom(t *testing.T) {
	t.Parallel()
	s := newStand(t, "faas_nats_channel=faas-request,slow-queue:5", "max_retry_attempts__slow_queue=7", "upstream_timeout=1m", "initial_retry_wait=1h", "max_retry_wait=1h")
	s.gateway.annotate(annotations{"fn1": {
		"com.openfaas.retry.min_wait": "1m", "com.openfaas.retry.max_wait": "3m", "com.openfaas.retry.attempts": "4",
		"queue-worker.max_inflight": "3", "queue-worker.priority": "8", "queue-worker.timeout": "5m", "queue-worker.rate": "0.5",
	}})
	s.gateway.tell(always(status(500)))
	w := s.worker()
	p := w.policy(t, "fn1/policy")
	switch {
	case p.Attempts != 4:
		t.Errorf("in force is %+v, want attempts 4", p)
	case p.MaxInflight != 3:
		t.Errorf("in force is %+v, want MaxInflight 3", p)
	case p.Priority != 8:
		t.Errorf("in force is %+v, want priority 8", p)
	case p.Rate != 0.5:
		t.Errorf("in force is %+v, want rate 0.5", p)
	case p.Timeout != "1m0s":
		t.Errorf(`in force is %+v, want timeout "1m0s"`, p)
	case !slices.Equal(p.Schedule, []string{"1m0s", "2m0s", "3m0s", "3m0s"}):
		t.Errorf("in force is %+v, want %v", p, []string{"1m0s", "2m0s", "3m0s", "3m0s"})
	case p.TotalWait != "9m0s":
		t.Errorf(`in force is %+v, want TotalWait "9m0s"`, p)
	}
	for setting, want := range map[string]string{
		"max_retry_attempts": "gateway annotation", "initial_retry_wait": "gateway annotation", "priority": "gateway annotation",
		"timeout": "worker", "backoff": "worker", "dead_set_codes": "worker",
	} {
		if p.From[setting] != want {
			t.Errorf("%s is from %q, want %q", setting, p.From[setting], want)
		}
	}
	slow := w.policy(t, "other/policy?queue=slow-queue")
	switch {
	case slow.Attempts != 7:
		t.Errorf("in the other queue it is %+v, want attempts 7", slow)
	case slow.MaxInflight != 5:
		t.Errorf("in the other queue it is %+v, want MaxInflight 5", slow)
	case slow.From["max_retry_attempts"] != "queue":
		t.Errorf(`in the other queue it is %+v, want slow.From["max_retry_attempts"] "queue"`, slow)
	case slow.From["max_inflight"] != "queue":
		t.Errorf(`in the other queue it is %+v, want slow.From["max_inflight"] "queue"`, slow)
	}
	if code, _ := w.ask(t, http.MethodGet, "/v1/functions/fn1/policy?queue=nope"); code != http.StatusNotFound {
		t.Errorf("an unknown queue is answered %d, want %d", code, http.StatusNotFound)
	}
	w.cli(t, "policy", "show", "fn1").want(t, 0, "max_retry_attempts\t4 (gateway annotation)", "rate\t0.5/s (gateway annotation)",
		"timeout\t1m0s (worker)", "waits\t1m0s 2m0s 3m0s 3m0s", "all waits\t9m0s")
	w.cli(t, "policy", "show", "other", "--queue", "slow-queue").want(t, 0, "max_retry_attempts\t7 (queue)", "max_inflight\t5 (queue)")

	m := call("fn1", "", with("X-Retry-Limit", "2"), annotated("queue-worker.backoff", "constant"))
	s.broker.publish(t, m)
	w.next(t, m, "retry")
	code, body := w.ask(t, http.MethodGet, "/v1/invocations/"+id(m))
	for _, want := range []string{`"max_retry_attempts": "header"`, `"backoff": "annotation"`, `"initial_retry_wait": "gateway annotation"`} {
		if !strings.Contains(body, want) && !strings.Contains(body, strings.ReplaceAll(want, ": ", ":")) {
			t.Errorf("the invocation, answered %d, does not say %s: %s", code, want, body)
		}
	}
}

// Without credentials annotations are unknown; with them they apply. Both is logged.
func TestAnnotationsNeedTheCredentialsOfOpenFaaS(t *testing.T) {
	t.Parallel()
	for _, credentials := range []bool{true, false} {
		t.Run(fmt.Sprintf("credentials: %v", credentials), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if credentials {
				writeSecret(t, dir, "admin", "secret")
			}
			s := newStand(t, "secret_mount_path="+dir, "max_retry_attempts=1", "initial_retry_wait=10ms")
			s.gateway.know(func(a asked) answer {
				if a.Header.Get("Authorization") != "Basic "+encode64("admin:secret") {
					return status(http.StatusUnauthorized)
				}
				return answer{Body: `{"annotations":{"com.openfaas.retry.attempts":"2"}}`}
			})
			s.gateway.tell(always(status(500)))
			w := s.worker()
			want, warnings := 3, 0
			if !credentials {
				want, warnings = 2, 1
			}
			for _, function := range []string{"fn1", "fn2", "fn1"} {
				m := call(function, "")
				s.broker.publish(t, m)
				w.next(t, m, "dead")
				if n := len(s.gateway.of(m)); n != want {
					t.Errorf("%d calls, want %d", n, want)
				}
			}
			if n := strings.Count(w.out.String(), "secret_mount_path"); n != warnings {
				t.Errorf("missing credentials are logged %d times, want %v", n, warnings)
			}
			switch n := len(s.gateway.inquiries()); {
			case credentials && n != 2:
				t.Errorf("the gateway was asked %d times, want 2", n)
			case n > 3:
				t.Errorf("the gateway was asked %d times, want at most 3", n)
			}
		})
	}
}

func TestAGatewayThatDoesNotAnswerKeepsNoCallWaiting(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.gateway.know(always(answer{Until: t.Context().Done()}))
	w := s.worker()
	var all []*message
	for n := range 20 {
		all = append(all, call(fmt.Sprintf("fn%d", n), ""))
	}
	s.broker.publish(t, all...)
	for _, m := range all {
		w.next(t, m, "done")
	}
}
