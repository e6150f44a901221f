package e2e

// Results that are kept for a time.

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"queue-worker/internal/testkit"
)

// result asks for the result of an id.
func (w *worker) result(t testing.TB, id string) (*http.Response, []byte) {
	t.Helper()
	res, err := client.Get(w.base + "/v1/invocations/" + id + "/result")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

// binary is a body with every byte.
var binary = func() string {
	var b bytes.Buffer
	for i := range 1024 {
		b.WriteByte(byte(i))
	}
	return b.String()
}()

func TestAResultIsGivenAsTheFunctionGaveItAlsoAfterAKill(t *testing.T) {
	t.Parallel()
	s := newStand(t, "result_ttl=1h", "max_retry_attempts=0")
	s.gateway.tell(byFunction(map[string]answer{
		"fn1": {Status: 203, Body: binary, Header: http.Header{
			"Content-Type": {"image/x-anything"}, "Content-Language": {"de"}, "X-Two": {"a", "b"}, "Etag": {`"x"`}, "Location": {"/x"}, "Link": {"</x>; rel=preload"},
			"Connection": {"X-Hop"}, "X-Hop": {"1"}, "Proxy-Authenticate": {"Basic"}, "Set-Cookie": {"a=b"},
			"Access-Control-Allow-Origin": {"*"},
		}},
		"bad":   {Status: 500, Body: "<h1>broken</h1>", Header: http.Header{"Content-Type": {"text/html"}}},
		"empty": {Status: 204},
	}))
	w := s.worker()
	calls := map[string]*message{}
	for _, fn := range []string{"fn1", "bad", "empty"} {
		calls[fn] = w.submit(t, "/async-function/"+fn, "")
		w.invocation(t, id(calls[fn]), "wait=5m")
	}
	for range 2 {
		for fn, want := range map[string]struct {
			status        int
			body, outcome string
		}{"fn1": {203, binary, "done"}, "bad": {500, "<h1>broken</h1>", "dead"}, "empty": {204, "", "done"}} {
			v := w.invocation(t, id(calls[fn]))
			switch {
			case !v.Result:
				t.Errorf("%s is %+v, want result", fn, v)
			case v.State != want.outcome:
				t.Errorf("%s is %+v, want state %v", fn, v, want.outcome)
			}
			for _, key := range []string{v.ID, v.CallID} {
				res, body := w.result(t, key)
				switch {
				case res.StatusCode != want.status:
					t.Errorf("the result of %s is %d %v %q, want StatusCode %v", fn, res.StatusCode, res.Header, body, want.status)
				case string(body) != want.body:
					t.Errorf("the result of %s is %d %v %q, want %v", fn, res.StatusCode, res.Header, body, want.body)
				case res.Header.Get("X-Queue-Worker-Outcome") != want.outcome:
					t.Errorf("the result of %s is %d %v %q, want X-Queue-Worker-Outcome %v", fn, res.StatusCode, res.Header, body, want.outcome)
				}
				switch {
				case res.Header.Get("Content-Security-Policy") == "":
					t.Errorf("the result of %s may run in a browser: %v, want Content-Security-Policy not empty", fn, res.Header)
				case res.Header.Get("X-Content-Type-Options") != "nosniff":
					t.Errorf(`the result of %s may run in a browser: %v, want X-Content-Type-Options "nosniff"`, fn, res.Header)
				}
			}
		}
		res, _ := w.result(t, id(calls["fn1"]))
		for name, want := range map[string]string{
			"Content-Type": "image/x-anything", "Content-Language": "de", "X-Two": "", "Etag": `"x"`, "Location": "", "Link": "",
			"X-Hop": "", "Proxy-Authenticate": "", "Set-Cookie": "", "Access-Control-Allow-Origin": "",
		} {
			if got := strings.Join(res.Header.Values(name), ","); got != want {
				t.Errorf("%s of the result is %q, want %q", name, got, want)
			}
		}
		w.kill()
		w = s.worker()
	}
}

func TestAnOutcomeIsKnownAfterAKillWithoutAResult(t *testing.T) {
	t.Parallel()
	s := newStand(t, "result_ttl=0")
	s.gateway.tell(always(answer{Status: 203, Body: "an answer that is not kept"}))
	w := s.worker()
	m := w.submit(t, "/async-function/fn1", "")
	before := w.invocation(t, id(m), "wait=5m")
	w.kill()
	w = s.worker()
	for _, key := range []string{before.ID, before.CallID} {
		got := w.invocation(t, key)
		if got.State != "done" {
			t.Errorf("state by %s after the kill: got %q, want %q", key, got.State, "done")
		}
		if got.Status != 203 {
			t.Errorf("status by %s after the kill: got %d, want %d", key, got.Status, 203)
		}
		if !got.First.Equal(before.First) {
			t.Errorf("first seen by %s after the kill: got %s, want %s", key, got.First, before.First)
		}
		if got.Result {
			t.Errorf("by %s a result is kept, want none", key)
		}
	}
	if n := w.metrics(t).sum("queue_worker_store_outcomes"); n != 1 {
		t.Errorf("outcomes that are counted: got %v, want 1", n)
	}
}

func TestAResultIsCutAtTheLimitAndSaysSo(t *testing.T) {
	t.Parallel()
	s := newStand(t, "result_ttl=1h", "max_response_bytes=100")
	s.gateway.tell(always(answer{Body: binary}))
	w := s.worker()
	m := w.submit(t, "/async-function/fn1", "")
	w.invocation(t, id(m), "wait=5m")
	res, body := w.result(t, id(m))
	switch {
	case string(body) != binary[:100]:
		t.Errorf("the result is %d %v with %d bytes, want %v", res.StatusCode, res.Header, len(body), binary[:100])
	case res.Header.Get("X-Queue-Worker-Truncated") != "true":
		t.Errorf(`the result is %d %v with %d bytes, want X-Queue-Worker-Truncated "true"`, res.StatusCode, res.Header, len(body))
	case res.StatusCode != http.StatusOK:
		t.Errorf("the result is %d %v with %d bytes, want StatusCode %d", res.StatusCode, res.Header, len(body), http.StatusOK)
	}
}

func TestAResultIsForgottenWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	s := newStand(t, "result_ttl=1s")
	s.gateway.tell(always(answer{Body: "x"}))
	w := s.worker()
	m := w.submit(t, "/async-function/fn1", "")
	w.next(t, m, "done")
	testkit.Eventually(t, "the result to be gone", func() bool {
		res, body := w.result(t, id(m))
		return res.StatusCode == http.StatusNotFound && parse(string(body)).text("reason") == "no_result"
	})
	testkit.Eventually(t, "the store to be swept", func() bool { return w.counts(t).unaccounted == 0 })
}

func TestWithoutAResultItSaysWhy(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	tell, release := held("slow")
	s.gateway.tell(tell)
	w := s.worker()
	done, slow := call("fn1", ""), call("slow", "")
	s.broker.publish(t, done, slow)
	w.next(t, done, "done")
	w.isIn(t, slow, "running")
	for key, want := range map[string]struct {
		code         int
		reason, hint string
	}{id(done): {404, "no_result", "result_ttl"}, id(slow): {409, "not_over", "wait"}, "unknown-to-all": {404, "not_found", "result_ttl"}} {
		res, body := w.result(t, key)
		e := parse(string(body))
		switch {
		case res.StatusCode != want.code:
			t.Errorf("it is answered %d %s, want StatusCode %v", res.StatusCode, body, want.code)
		case e.text("reason") != want.reason:
			t.Errorf(`it is answered %d %s, want reason %v`, res.StatusCode, body, want.reason)
		case !strings.Contains(e.text("hint"), want.hint):
			t.Errorf(`it is answered %d %s, want %q in e.text("hint")`, res.StatusCode, body, want.hint)
		case res.Header.Get("X-Queue-Worker-Outcome") != "":
			t.Errorf("it is answered %d %s, want X-Queue-Worker-Outcome empty", res.StatusCode, body)
		}
	}
	release()
}
