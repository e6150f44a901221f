package e2e

// Asking what became of an invocation, and waiting for it.

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

// byFunction answers by the function's name, and 200 to any other.
func byFunction(answers map[string]answer) func(asked) answer {
	return func(a asked) answer { return answers[a.Function] }
}

func TestAnInvocationIsSeenInEveryState(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode, "max_inflight=1", "initial_retry_wait=1h", "max_retry_wait=2h", "max_retry_attempts=3")
		gate := make(chan struct{})
		s.gateway.tell(byFunction(map[string]answer{"flaky": status(500), "bad": status(400), "slow": {Until: gate}}))
		w := s.worker()
		defer close(gate)
		calls := map[string]*message{}
		for _, state := range []struct{ state, function, log string }{
			{"done", "good", "done"}, {"dead", "bad", "dead"}, {"delayed", "flaky", "retry"}, {"running", "slow", ""}, {"ready", "waiting", ""},
		} {
			m := call(state.function, "")
			calls[state.state] = m
			s.broker.publish(t, m)
			switch {
			case state.log != "":
				w.next(t, m, state.log)
			case state.state == "running":
				s.gateway.await(t, 4)
			}
		}
		for state, m := range calls {
			byCall := w.isIn(t, m, state)
			v := w.invocation(t, byCall.ID)
			switch {
			case v.State != state:
				t.Errorf("by its own id the %s one is %+v, want state %v", state, v, state)
			case v.CallID != id(m):
				t.Errorf("by its own id the %s one is %+v, want CallID %v", state, v, id(m))
			case v.Function != m.Function:
				t.Errorf("by its own id the %s one is %+v, want function %v", state, v, m.Function)
			case v.Kind != "function":
				t.Errorf(`by its own id the %s one is %+v, want kind "function"`, state, v)
			case v.Source != "gateway":
				t.Errorf(`by its own id the %s one is %+v, want source "gateway"`, state, v)
			case v.Queue != defaultQueue:
				t.Errorf("by its own id the %s one is %+v, want queue %v", state, v, defaultQueue)
			}
			checkInvocation(t, v)
		}
		if code, reason := w.cancel(t, id(calls["ready"])); code != http.StatusAccepted {
			t.Errorf("cancelling is answered %d %s, want %d", code, reason, http.StatusAccepted)
		}
		switch v := w.invocation(t, id(calls["ready"])); {
		case v.State != "cancelled":
			t.Errorf(`what was cancelled is %+v, want state "cancelled"`, v)
		case v.Finished.IsZero():
			t.Errorf("what was cancelled is %+v, want Finished not zero", v)
		case v.Policy != nil:
			t.Errorf("what was cancelled is %+v, want policy nil", v)
		}
		switch code, body := w.ask(t, http.MethodGet, "/v1/invocations/unknown-to-all"); {
		case code != http.StatusNotFound:
			t.Errorf("an unknown id is answered %d %s, want code %d", code, body, http.StatusNotFound)
		case !strings.Contains(body, "result_ttl"):
			t.Errorf(`an unknown id is answered %d %s, want "result_ttl" in it`, code, body)
		}
	})
}

// checkInvocation checks what belongs to a state.
func checkInvocation(t *testing.T, v invocation) {
	t.Helper()
	calls := map[string]int{"done": 1, "dead": 1, "delayed": 1}[v.State]
	status := map[string]int{"done": 200, "dead": 400, "delayed": 500}[v.State]
	switch {
	case len(v.Attempts) != calls:
		t.Errorf("the %s one is %+v, want %d attempts", v.State, v, calls)
	case v.Status != status:
		t.Errorf("the %s one is %+v, want status %v", v.State, v, status)
	case v.First.IsZero():
		t.Errorf("the %s one is %+v, want First not zero", v.State, v)
	}
	switch {
	case (v.Reason == "non_retryable") != (v.State == "dead"):
		t.Errorf(`the %s one is %+v, want v.Reason == "non_retryable" %v`, v.State, v, v.State == "dead")
	case v.Finished.IsZero() == (v.State == "done"):
		t.Errorf("the %s one is %+v, want IsZero other than %v", v.State, v, v.State == "done")
	case v.Result:
		t.Errorf("the %s one is %+v, want not result", v.State, v)
	}
	if wait := v.Due.Sub(v.First); (v.State == "delayed") != (wait >= time.Hour && wait < 2*time.Hour) {
		t.Errorf(`the %s one, first seen at %s, is due at %s, want v.State == "delayed" %v`, v.State, v.First, v.Due, wait >= time.Hour && wait < 2*time.Hour)
	}
	if v.State == "done" {
		return
	}
	switch p := v.Policy; {
	case p == nil:
		t.Errorf("the policy of the %s one is %+v, want p set", v.State, p)
	case p.Attempts != 3:
		t.Errorf("the policy of the %s one is %+v, want attempts 3", v.State, p)
	case p.Initial != "1h0m0s":
		t.Errorf(`the policy of the %s one is %+v, want initial "1h0m0s"`, v.State, p)
	case p.TotalWait != "5h0m0s":
		t.Errorf(`the policy of the %s one is %+v, want TotalWait "5h0m0s"`, v.State, p)
	case !slices.Equal(p.Schedule, []string{"1h0m0s", "2h0m0s", "2h0m0s"}):
		t.Errorf("the policy of the %s one is %+v, want %v", v.State, p, []string{"1h0m0s", "2h0m0s", "2h0m0s"})
	case p.From["max_retry_attempts"] != "worker":
		t.Errorf(`the policy of the %s one is %+v, want p.From["max_retry_attempts"] "worker"`, v.State, p)
	}
}

func TestThePolicyInForceIsTheOneOfTheAnnotations(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=1h", "max_retry_wait=2h")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	m := call("fn1", "", annotated("com.openfaas.retry.attempts", "1"))
	s.broker.publish(t, m)
	w.next(t, m, "retry")
	switch p := w.invocation(t, id(m)).Policy; {
	case p.Attempts != 1:
		t.Errorf("the policy is %+v, want attempts 1", p)
	case p.From["max_retry_attempts"] != "annotation":
		t.Errorf(`the policy is %+v, want p.From["max_retry_attempts"] "annotation"`, p)
	case p.From["initial_retry_wait"] != "worker":
		t.Errorf(`the policy is %+v, want p.From["initial_retry_wait"] "worker"`, p)
	case len(p.Schedule) != 1:
		t.Errorf("the policy is %+v, want 1 schedule", p)
	}
	code, body := w.ask(t, http.MethodGet, "/v1/functions/fn1/policy")
	switch {
	case code != http.StatusOK:
		t.Errorf("the policy of the function is %d %s, want code %d", code, body, http.StatusOK)
	case !strings.Contains(body, `"max_retry_attempts":10`):
		t.Errorf(`the policy of the function is %d %s, want "max_retry_attempts":10 in it`, code, body)
	}
}

func TestOfACallIDThatCameTwiceBothAreShownAndActsNeedTheOwnID(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode, "max_inflight=1")
		tell, release := held("slow")
		s.gateway.tell(tell)
		w := s.worker()
		s.broker.publish(t, call("slow", ""))
		s.gateway.await(t, 1)
		first := call("fn1", "first")
		second := call("fn2", "second", with("X-Call-Id", id(first)))
		s.broker.publish(t, first)
		w.isIn(t, first, "ready")
		s.broker.publish(t, second)
		testkit.Eventually(t, "both to be there", func() bool { return len(w.invocations(t, id(first))) == 2 })
		both := w.invocations(t, id(first))
		if both[0].Function != "fn2" || both[1].Function != "fn1" {
			t.Errorf("they are %+v, want the newest first", both)
		}
		code, body := w.ask(t, http.MethodDelete, "/v1/invocations/"+id(first))
		switch {
		case code != http.StatusConflict:
			t.Errorf("cancelling by the call id is answered %d %s, want code %d", code, body, http.StatusConflict)
		case parse(body).text("reason") != "ambiguous":
			t.Errorf(`cancelling by the call id is answered %d %s, want reason "ambiguous"`, code, body)
		case !strings.Contains(body, both[0].ID):
			t.Errorf("cancelling by the call id is answered %d %s, want %q in it", code, body, both[0].ID)
		case !strings.Contains(body, both[1].ID):
			t.Errorf("cancelling by the call id is answered %d %s, want %q in it", code, body, both[1].ID)
		}
		if code, reason := w.cancel(t, both[1].ID); code != http.StatusAccepted {
			t.Errorf("cancelling by the own id is answered %d %s, want %d", code, reason, http.StatusAccepted)
		}
		release()
		w.next(t, second, "done")
		if got := inStates(w.invocations(t, id(first))); got != "done cancelled" {
			t.Errorf(`in the end they are %s, want "done cancelled"`, got)
		}
		w.idle(t)
		for _, a := range s.gateway.of(first) {
			if a.Function != "fn2" {
				t.Errorf(`the cancelled one was called: %s, want "fn2"`, a.Function)
			}
		}
	})
}

func TestWaitAnswersWhenItIsOver(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode, "max_retry_attempts=1", "initial_retry_wait=50ms")
		tell, release := held("slow")
		s.gateway.tell(func(a asked) answer {
			if a.Function == "bad" {
				return status(500)
			}
			return tell(a)
		})
		w := s.worker()
		slow := w.submit(t, "/async-function/slow", "")
		v := w.isIn(t, slow, "running")
		var waiting sync.WaitGroup
		for n := range 100 { // each answers long before its time
			key := []string{id(slow), v.ID}[n%2]
			waiting.Go(func() {
				if got := inStates(w.invocations(t, key, "wait=5m")); got != "done" {
					t.Errorf(`after its wait it is %q, want "done"`, got)
				}
			})
		}
		bad := w.submit(t, "/async-function/bad", "")
		switch got := w.invocation(t, id(bad), "wait=5m"); {
		case got.State != "dead":
			t.Errorf(`what died is %+v, want state "dead"`, got)
		case len(got.Attempts) != 2:
			t.Errorf("what died is %+v, want 2 attempts", got)
		}
		release()
		waiting.Wait()
		if got := inStates(w.invocations(t, id(slow), "wait=5m")); got != "done" {
			t.Errorf(`asked later it is %q, want "done"`, got)
		}
	})
}

func TestWaitBeginsBeforeTheInvocationDoes(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		w := s.worker()
		var waiting sync.WaitGroup
		for n := range 10 {
			key := fmt.Sprint("mine-", n)
			waiting.Go(func() {
				if got := inStates(w.invocations(t, key, "wait=5m")); got != "done" {
					t.Errorf(`%s is %q, want "done"`, key, got)
				}
			})
		}
		for n := range 10 {
			w.submit(t, "/async-function/fn1", "", "X-Call-Id", fmt.Sprint("mine-", n))
		}
		waiting.Wait()
	})
}

func TestWaitAnswersWithTheStateThenWhenTheTimeHasPassed(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	tell, release := held("slow")
	s.gateway.tell(tell)
	w := s.worker()
	defer release()
	m := call("slow", "")
	s.broker.publish(t, m)
	s.gateway.await(t, 1)
	for _, key := range []string{id(m), "unknown-to-all"} {
		begun := time.Now()
		got := inStates(w.invocations(t, key, "wait=1s"))
		switch took := time.Since(begun); {
		case took < time.Second:
			t.Errorf("%s is %q after %s, want at least %v", key, got, took, time.Second)
		case (got == "running") != (key == id(m)):
			t.Errorf(`%s is %q after %s, want got == "running" %v`, key, got, took, key == id(m))
		}
	}
}

func TestWhoWaitsIsAnsweredWhenTheWorkerDrains(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	tell, release := held("slow")
	s.gateway.tell(tell)
	w := s.worker()
	m := call("slow", "")
	s.broker.publish(t, m)
	s.gateway.await(t, 1)
	answered := make(chan string, 1)
	go func() { answered <- inStates(w.invocations(t, id(m), "wait=5m")) }()
	w.signal(t, syscall.SIGTERM)
	if got := <-answered; got != "running" {
		t.Errorf(`it is %q, want "running"`, got)
	}
	release()
	if code := w.exit(t); code != 0 {
		t.Errorf("the exit code is %d, want 0", code)
	}
}

func TestWhatIsPendingIsListedByFunctionQueueAndState(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_inflight=2", "initial_retry_wait=1h", "max_retry_wait=1h")
	gate := make(chan struct{})
	s.gateway.tell(byFunction(map[string]answer{"flaky": status(500), "slow": {Until: gate}}))
	w := s.worker()
	for range 3 {
		m := call("flaky", "")
		s.broker.publish(t, m)
		w.next(t, m, "retry")
	}
	for range 2 {
		s.broker.publish(t, call("slow", ""))
	}
	s.gateway.await(t, 5)
	for range 7 {
		s.broker.publish(t, call("waiting.openfaas-fn", ""))
	}
	testkit.Eventually(t, "all to be taken in", func() bool { return w.counts(t).accepted == 12 })
	for query, want := range map[string]string{
		"":                                  "ready 7 running 2 delayed 3",
		"limit=2":                           "ready 7 running 2 delayed 3",
		"state=ready":                       "ready 7 running 0 delayed 0",
		"state=running&limit=1":             "ready 0 running 2 delayed 0",
		"state=delayed&limit=2":             "ready 0 running 0 delayed 3",
		"function=waiting&limit=3":          "ready 7 running 0 delayed 0",
		"function=waiting.openfaas-fn":      "ready 7 running 0 delayed 0",
		"function=slow":                     "ready 0 running 2 delayed 0",
		"function=flaky&state=ready":        "ready 0 running 0 delayed 0",
		"function=flaky&state=delayed":      "ready 0 running 0 delayed 3",
		"queue=faas-request&state=running":  "ready 0 running 2 delayed 0",
		"queue=other":                       "ready 0 running 0 delayed 0",
		"function=missing":                  "ready 0 running 0 delayed 0",
		"function=slow.staging&state=ready": "ready 0 running 0 delayed 0",
	} {
		n, seen := map[string]int{}, map[string]bool{}
		for _, v := range w.pending(t, query) {
			n[v.State]++
			seen[v.ID] = true
		}
		if got := fmt.Sprintf("ready %d running %d delayed %d", n["ready"], n["running"], n["delayed"]); got != want || len(seen) != n["ready"]+n["running"]+n["delayed"] {
			t.Errorf("of ?%s there are %s, want %s", query, got, want)
		}
	}
	close(gate)
}
