package e2e

// Functions: looked at, paused, resumed.

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

func TestAFunctionTellsWhatIsWhereAndHowItDoes(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_inflight=2", "initial_retry_wait=1h", "max_retry_wait=1h", "limiter_enabled=false")
	gate := make(chan struct{})
	s.gateway.tell(func(a asked) answer {
		switch string(a.Body) {
		case "dead":
			return status(400)
		case "delayed":
			return status(503)
		}
		return answer{Until: gate}
	})
	w := s.worker()
	for _, body := range []string{"dead", "delayed", "delayed"} {
		m := call("fn1", body)
		s.broker.publish(t, m)
		w.next(t, m, map[string]string{"dead": "dead", "delayed": "retry"}[body])
	}
	for range 5 {
		s.broker.publish(t, call("fn1", ""))
	}
	s.gateway.await(t, 5)
	testkit.Eventually(t, "all to be taken in", func() bool { return w.counts(t).accepted == 8 })
	v := w.function(t, "fn1")
	switch {
	case v.Function != "fn1.openfaas-fn":
		t.Errorf(`it is %+v, its last error %+v, want function "fn1.openfaas-fn"`, v, v.LastError)
	case v.Topic != "fn1":
		t.Errorf(`it is %+v, its last error %+v, want topic "fn1"`, v, v.LastError)
	case v.Queue != defaultQueue:
		t.Errorf("it is %+v, its last error %+v, want queue %v", v, v.LastError, defaultQueue)
	case v.Ready != 3:
		t.Errorf("it is %+v, its last error %+v, want ready 3", v, v.LastError)
	case v.Running != 2:
		t.Errorf("it is %+v, its last error %+v, want running 2", v, v.LastError)
	case v.Delayed != 2:
		t.Errorf("it is %+v, its last error %+v, want delayed 2", v, v.LastError)
	case v.Dead != 1:
		t.Errorf("it is %+v, its last error %+v, want dead 1", v, v.LastError)
	case v.Oldest <= 0:
		t.Errorf("it is %+v, its last error %+v, want oldest above 0", v, v.LastError)
	case v.Rate <= 0:
		t.Errorf("it is %+v, its last error %+v, want rate above 0", v, v.LastError)
	case v.LastError == nil:
		t.Errorf("it is %+v, its last error %+v, want LastError set", v, v.LastError)
	case v.LastError.Status != 503:
		t.Errorf("it is %+v, its last error %+v, want status 503", v, v.LastError)
	case v.Paused != nil:
		t.Errorf("it is %+v, its last error %+v, want paused nil", v, v.LastError)
	}
	switch same := w.function(t, "fn1.openfaas-fn"); {
	case same.Topic != "fn1":
		t.Errorf(`by its long name it is %+v, want topic "fn1"`, same)
	case same.Running != 2:
		t.Errorf("by its long name it is %+v, want running 2", same)
	}
	code, body := w.ask(t, http.MethodGet, "/v1/functions")
	switch all := functions(t, code, body); {
	case len(all) != 1:
		t.Errorf("all are %+v, want 1", all)
	case all[0].Topic != "fn1":
		t.Errorf(`all are %+v, want topic "fn1"`, all)
	}
	close(gate)
}

func TestAnUnknownFunctionIsNotFoundIfTheGatewayCanBeAsked(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.gateway.deploys(answer{}, "deployed")
	w := s.worker()
	for name, want := range map[string]int{"deployed": 200, "missing": 404, "a%20b": 400, "x%3Fq=1": 400, "-a": 400, "url:": 400} {
		if code, body := w.ask(t, http.MethodGet, "/v1/functions/"+name); code != want {
			t.Errorf("%s is answered %d %s, want %v", name, code, body, want)
		}
	}
	s.gateway.close()
	if code, body := w.ask(t, http.MethodGet, "/v1/functions/other"); code != http.StatusOK {
		t.Errorf("while the gateway is away a function is answered %d %s, want %d", code, body, http.StatusOK)
	}
}

func TestAPausedFunctionIsNotCalledAlsoNotAfterAKillAndOthersAre(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode, "initial_retry_wait=10ms")
		w := s.worker()
		switch v := w.pause(t, "fn1", `{"reason":"rollout","author":"ann"}`); { // it has nothing yet
		case len(v) != 1:
			t.Errorf("the pause is answered %+v, want 1", v)
		case v[0].Topic != "fn1":
			t.Errorf(`the pause is answered %+v, want topic "fn1"`, v)
		case v[0].Paused == nil:
			t.Errorf("the pause is answered %+v, want paused set", v)
		}
		m, other := call("fn1", ""), call("fn2", "")
		s.broker.publish(t, m, other)
		w.next(t, other, "done")
		w.isIn(t, m, "ready")
		checkPaused(t, w, "rollout", "ann")
		if mode != "data_dir=" {
			w.kill()
			w = s.worker()
			checkPaused(t, w, "rollout", "ann")
		}
		marker := call("fn2", "")
		s.broker.publish(t, marker)
		w.next(t, marker, "done")
		if calls := s.gateway.of(m); len(calls) != 0 {
			t.Errorf("it was called %d times, want 0 calls", len(calls))
		}
		w.isIn(t, m, "ready")
		code, body := w.steerFunction(t, "fn1.openfaas-fn", "resume", "")
		switch v := functions(t, code, body); {
		case len(v) != 1:
			t.Errorf("the end of it is answered %d %s: got %v, want 1", code, body, len(v))
		case v[0].Paused != nil:
			t.Errorf("the end of it is answered %d %s: got paused %v, want nil", code, body, v[0].Paused)
		}
		w.next(t, m, "done")
		if code, body := w.steerFunction(t, "fn1", "resume", ""); code != http.StatusOK {
			t.Errorf("once more it is answered %d %s, want %d", code, body, http.StatusOK)
		}
	})
}

func checkPaused(t *testing.T, w *worker, reason, author string) {
	t.Helper()
	p := w.function(t, "fn1").Paused
	switch {
	case p == nil:
		t.Errorf("the pause is %+v, want p set", p)
	case p.Reason != reason:
		t.Errorf("the pause is %+v, want reason %v", p, reason)
	case p.Author != author:
		t.Errorf("the pause is %+v, want author %v", p, author)
	case p.By != "loopback":
		t.Errorf(`the pause is %+v, want by "loopback"`, p)
	case p.Since.IsZero():
		t.Errorf("the pause is %+v, want Since not zero", p)
	case p.Until != nil:
		t.Errorf("the pause is %+v, want until nil", p)
	}
}

func TestAPauseEndsByItselfAndPausingAgainReplacesIt(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	w.pause(t, "fn1", `{"reason":"first","for":"1h"}`)
	begun := time.Now()
	v := w.pause(t, "fn1", `{"reason":"second","until":"`+begun.Add(2*time.Second).Format(time.RFC3339Nano)+`"}`)
	switch p := v[0].Paused; {
	case p.Reason != "second":
		t.Errorf(`the pause is %+v, want reason "second"`, p)
	case p.Until == nil:
		t.Errorf("the pause is %+v, want until set", p)
	case p.Until.Sub(begun) > 3*time.Second:
		t.Errorf("the pause is %+v, want p.Until.Sub(begun) at most %v", p, 3*time.Second)
	}
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "done")
	if at := s.gateway.of(m)[0].At; at.Sub(begun) < 2*time.Second {
		t.Errorf("it was called after %s, want at least %v", at.Sub(begun), 2*time.Second)
	}
	w.event(t, "the end of the pause", func(e entry) bool {
		return strings.HasPrefix(e.message(), "resumed") && e.text("function") == "fn1" && e.text("reason") == "second"
	})
	if w.function(t, "fn1").Paused != nil {
		t.Error("it is still shown as paused, want paused nil")
	}
}

func TestAPauseIsOverAlsoWhenItsTimePassesWhileNoWorkerRuns(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	until := time.Now().Add(time.Second)
	w.pause(t, "fn1", `{"until":"`+until.Format(time.RFC3339Nano)+`"}`)
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.isIn(t, m, "ready")
	w.kill()
	time.Sleep(time.Until(until))
	w = s.worker()
	w.next(t, m, "done")
}

func TestBadPausesAreRefusedAndPauseNothing(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	for _, body := range []string{
		`{"for":"-1h"}`, `{"for":"0s"}`, `{"for":"soon"}`, `{"for":3600}`, `{"for":"9999999h"}`, `{"for":"1h","until":"2099-01-01T00:00:00Z"}`,
		`{"until":"2020-01-01T00:00:00Z"}`, `{"until":"tomorrow"}`, `{"until":"2999-01-01T00:00:00Z"}`, `{"until":1}`,
		`{"reason":1}`, `{"reason":["a"]}`, `{"resaon":"x"}`, `{"Reason":"x"}`, `{"reason":"a","reason":"b"}`, `{"reason":"a\nb"}`, `{"author":"a\u0000"}`,
		`{"reason":"` + strings.Repeat("x", 2000) + `"}`, `{"author":"` + strings.Repeat("x", 300) + `"}`,
		`{`, `[]`, `"x"`, `null`, `1`, `{} {}`, `{"reason":"x"}x`,
	} {
		switch code, answer := w.steerFunction(t, "fn1", "pause", body); {
		case code != http.StatusBadRequest:
			t.Errorf("%s is answered %d %s, want code %d", body, code, answer, http.StatusBadRequest)
		case parse(answer).text("hint") == "":
			t.Errorf(`%s is answered %d %s, want hint not empty`, body, code, answer)
		}
	}
	if code, answer := w.steerFunction(t, "fn1", "pause", `{"reason":"`+strings.Repeat("x", 100_000)+`"}`); code != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge body is answered %d %s, want %d", code, answer, http.StatusRequestEntityTooLarge)
	}
	for _, path := range []string{"fn1/pause?for=1h", "a%2Fb/pause", "%20/resume", "fn1/resume?x=1"} {
		if code, answer := w.ask(t, http.MethodPost, "/v1/functions/"+path); code != http.StatusBadRequest {
			t.Errorf("%s is answered %d %s, want %d", path, code, answer, http.StatusBadRequest)
		}
	}
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "done")
}

func TestAHostOfCallbacksIsPausedToo(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	receiver := newStub(t)
	w := s.worker()
	name := "url:" + receiver.addr
	w.pause(t, name, `{"reason":"the receiver is down"}`)
	m := call("fn1", "", with("X-Callback-Url", receiver.url()+"/cb"))
	s.broker.publish(t, m)
	w.next(t, m, "done")
	switch v := w.function(t, name); {
	case v.Ready != 1:
		t.Errorf("it is %+v, want ready 1", v)
	case v.Paused == nil:
		t.Errorf("it is %+v, want paused set", v)
	}
	if got := inStates(w.invocations(t, id(m))); got != "ready done" {
		t.Errorf(`the call has %s, want "ready done"`, got)
	}
	w.steerFunction(t, name, "resume", "")
	receiver.await(t, 1)
}

func TestManyFunctionsAreListedInTheirOrder(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	tell, release := held("fn")
	s.gateway.tell(tell)
	w := s.worker()
	for n := range 5 {
		s.broker.publish(t, call(fmt.Sprint("fn", 4-n), ""))
	}
	s.gateway.await(t, 5)
	code, body := w.ask(t, http.MethodGet, "/v1/functions")
	var names []string
	for _, v := range functions(t, code, body) {
		names = append(names, v.Topic)
	}
	if got := strings.Join(names, " "); got != "fn0 fn1 fn2 fn3 fn4" {
		t.Errorf(`they are %s, want "fn0 fn1 fn2 fn3 fn4"`, got)
	}
	release()
}
