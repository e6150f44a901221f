package e2e

// Where results go.

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// withCallback asks for the result at a URL.
func withCallback(url string) func(*message) { return with("X-Callback-Url", url) }

// posted waits until a callback has come to something.
func (w *worker) posted(t testing.TB, m *message, what string) entry {
	t.Helper()
	return w.event(t, "the callback of "+id(m)+" to be "+what, func(e entry) bool {
		return e.message() == "callback" && e.text("call_id") == id(m) && e.text("next") == what
	})
}

func TestACallbackCarriesTheResult(t *testing.T) {
	t.Parallel()
	s, target := newStand(t, "initial_retry_wait=1ms"), newStub(t)
	s.gateway.tell(byRetry(status(500), status(500), answer{Status: 201, Body: "the result", Delay: 20 * time.Millisecond, Header: http.Header{
		"Content-Type": {"text/x-result"}, "X-Mine": {"a", "b"}, "Set-Cookie": {"secret=1"}, "Authorization": {"Bearer x"},
		"Connection": {"X-Hop"}, "X-Hop": {"1"}, "X-Function-Status": {"999"}, "X-Retry": {"77"},
	}}))
	w := s.worker()
	m := call("fn1.openfaas-fn", "hello", withCallback(target.url()+"/cb/path?k=v"), with("X-Secret", "of the caller"), with("Authorization", "Basic eA=="))
	s.broker.publish(t, m)
	w.posted(t, m, "done")
	got := target.await(t, 1)[0]
	switch {
	case got.Method != http.MethodPost:
		t.Errorf("the callback was %s %s with %q, want method %v", got.Method, got.URI, got.Body, http.MethodPost)
	case got.URI != "/cb/path?k=v":
		t.Errorf(`the callback was %s %s with %q, want URI "/cb/path?k=v"`, got.Method, got.URI, got.Body)
	case string(got.Body) != "the result":
		t.Errorf(`the callback was %s %s with %q, want body "the result"`, got.Method, got.URI, got.Body)
	}
	for name, want := range map[string][]string{
		"X-Call-Id": m.Header["X-Call-Id"], "X-Function-Name": {"fn1.openfaas-fn"}, "X-Function-Status": {"201"},
		"X-Retry": {"2"}, "X-Retry-Max": {"10"}, "User-Agent": {"queue-worker/" + version},
		"Content-Type": {"text/x-result"}, "X-Mine": {"a", "b"},
		"Set-Cookie": nil, "Authorization": nil, "X-Hop": nil, "X-Secret": nil, "X-Callback-Url": nil, "X-Body-Truncated": nil,
	} {
		if !slices.Equal(got.Header[name], want) {
			t.Errorf("%s is %q, want %q", name, got.Header[name], want)
		}
	}
	seconds, err := strconv.ParseFloat(got.Header.Get("X-Duration-Seconds"), 64)
	switch {
	case err != nil:
		t.Errorf("X-Duration-Seconds is %q: got %v, want no error", got.Header.Get("X-Duration-Seconds"), err)
	case seconds < 0.02:
		t.Errorf("X-Duration-Seconds is %q: got seconds %v, want at least 0.02", got.Header.Get("X-Duration-Seconds"), seconds)
	}
	if w.idle(t); len(target.all()) != 1 {
		t.Errorf("there were %d callbacks, want 1", len(target.all()))
	}
}

func TestACallbackOfAFunctionThatFailedForGood(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer asked
		tell   answer
		calls  string // X-Retry of the callback
	}{
		"attempts exhausted":     {asked{Status: 500, Body: []byte("sorry")}, answer{Status: 500, Body: "sorry"}, "2"},
		"a final status":         {asked{Status: 404, Body: []byte("nothing")}, answer{Status: 404, Body: "nothing"}, "0"},
		"no answer at all":       {asked{Status: 503}, answer{Hangup: true}, "2"},
		"an answer that is long": {asked{Status: 500, Body: []byte("0123456789")}, answer{Status: 500, Body: "0123456789abcdef"}, "2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, target := newStand(t, "initial_retry_wait=1ms", "max_retry_attempts=2", "max_response_bytes=10"), newStub(t)
			s.gateway.tell(always(test.tell))
			w := s.worker()
			m := call("fn1", "", withCallback(target.url()))
			s.broker.publish(t, m)
			w.next(t, m, "dead")
			w.posted(t, m, "done")
			got := target.all()
			if len(got) != 1 {
				t.Fatalf("there were %d callbacks, want 1", len(got))
			}
			h := got[0].Header
			switch {
			case h.Get("X-Function-Status") != strconv.Itoa(test.answer.Status):
				t.Errorf("the callback has %v and %q, want X-Function-Status %v", h, got[0].Body, strconv.Itoa(test.answer.Status))
			case string(got[0].Body) != string(test.answer.Body):
				t.Errorf("the callback has %v and %q, want body %q", h, got[0].Body, test.answer.Body)
			case h.Get("X-Retry") != test.calls:
				t.Errorf("the callback has %v and %q, want X-Retry %v", h, got[0].Body, test.calls)
			}
			if cut := h.Get("X-Body-Truncated") == "true"; cut != (len(test.tell.Body) > 10) {
				t.Errorf("X-Body-Truncated is %q: got cut %v, want %v", h.Get("X-Body-Truncated"), cut, len(test.tell.Body) > 10)
			}
		})
	}
}

func TestACallbackIsTriedAgainUntilItIs2xx(t *testing.T) {
	t.Parallel()
	s, target := newStand(t, "initial_retry_wait=50ms"), newStub(t)
	answers := []answer{status(500), status(404), status(302), {Hangup: true}, status(204)}
	n := 0
	target.tell(func(asked) answer { n++; return answers[n-1] })
	w := s.worker()
	m := call("fn1", "", withCallback(target.url()))
	s.broker.publish(t, m)
	w.posted(t, m, "done")
	got := target.all()
	if len(got) != len(answers) {
		t.Fatalf("there were %d callbacks, want %d", len(got), len(answers))
	}
	checkWaits(t, got, 50*time.Millisecond, 100*time.Millisecond, 200*time.Millisecond, 400*time.Millisecond)
	checkCalled(t, s, map[*message]int{m: 1})
}

func TestACallbackThatNobodyTakesIsDeadAndHasNoneItself(t *testing.T) {
	t.Parallel()
	s, target := newStand(t, "initial_retry_wait=1ms", "max_retry_attempts=2"), newStub(t)
	target.tell(always(status(500)))
	s.gateway.tell(always(answer{Body: "the result"}))
	w := s.worker()
	m := call("fn1", "", withCallback(target.url()+"/cb?token=1"))
	s.broker.publish(t, m)
	w.posted(t, m, "dead")
	if n := len(target.all()); n != 3 {
		t.Errorf("there were %d callbacks, want 3", n)
	}
	l := w.deadSet(t).only(t)
	switch {
	case l.Kind != "callback":
		t.Errorf(`the dead letter is %+v, want kind "callback"`, l)
	case l.Topic != "url:"+target.addr:
		t.Errorf("the dead letter is %+v, want topic %v", l, "url:"+target.addr)
	case l.Reason != "attempts_exhausted":
		t.Errorf(`the dead letter is %+v, want reason "attempts_exhausted"`, l)
	case l.Status != 500:
		t.Errorf("the dead letter is %+v, want status 500", l)
	case l.CallID != id(m):
		t.Errorf("the dead letter is %+v, want CallID %v", l, id(m))
	case string(l.Message) != "the result":
		t.Errorf(`the dead letter is %+v, want message "the result"`, l)
	case len(l.Attempts) != 3:
		t.Errorf("the dead letter is %+v, want 3 attempts", l)
	}
	target.tell(always(answer{}))
	if code := l.replay(t, w); code != http.StatusOK {
		t.Errorf("the replay is answered %d, want %d", code, http.StatusOK)
	}
	w.posted(t, m, "done")
	switch got := target.all(); {
	case string(got[3].Body) != "the result":
		t.Errorf(`the callback that was replayed is %+v, want body "the result"`, got[3])
	case got[3].Header.Get("X-Function-Status") != "200":
		t.Errorf(`the callback that was replayed is %+v, want X-Function-Status "200"`, got[3])
	}
	checkCalled(t, s, map[*message]int{m: 1})
	switch m := w.metrics(t); {
	case m.sum("queue_worker_callbacks_total", "outcome", "dead") != 1:
		t.Error(`queue_worker_callbacks_total does not count one dead and one delivered callback, want m.sum("queue_worker_callbacks_total", "outcome", "dead") 1`)
	case m.sum("queue_worker_callbacks_total", "outcome", "delivered") != 1:
		t.Error(`queue_worker_callbacks_total does not count one dead and one delivered callback, want m.sum("queue_worker_callbacks_total", "outcome", "delivered") 1`)
	}
}

func TestACallbackSurvivesAKill(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s, target := newStand(t, "initial_retry_wait=100ms", "max_retry_wait=200ms", mode), newStub(t)
		s.gateway.tell(always(answer{Body: "the result"}))
		target.close()
		w := s.worker()
		m := call("fn1", "", withCallback(target.url()))
		s.broker.publish(t, m)
		w.posted(t, m, "retry")
		w.kill()
		target.open()
		w = s.worker()
		w.posted(t, m, "done")
		w.idle(t)
		switch got := target.all(); {
		case len(got) != 1:
			t.Errorf("the callbacks are %+v, want 1", got)
		case string(got[0].Body) != "the result":
			t.Errorf(`the callbacks are %+v, want body "the result"`, got)
		}
		if mode == "" {
			checkCalled(t, s, map[*message]int{m: 1}) // without data_dir the function runs again
		}
	})
}

func TestAKillBetweenCallAndSettlementCallsBackOnce(t *testing.T) {
	t.Parallel()
	for point, calls := range map[string]int{"before-settle": 2, "after-settle": 1} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			s, target := newStand(t, "initial_retry_wait=10ms"), newStub(t)
			target.close() // or the callback could be in flight when the worker dies
			m := call("fn1", "", withCallback(target.url()))
			w := s.crasher(point, 1)
			s.broker.publish(t, m)
			w.crashed(t)
			target.open()
			s.worker().posted(t, m, "done")
			checkCalled(t, s, map[*message]int{m: calls})
			if n := len(target.all()); n != 1 {
				t.Errorf("there were %d callbacks, want 1", n)
			}
		})
	}
}

func TestCredentialsOfACallbackGoAsBasicAuth(t *testing.T) {
	t.Parallel()
	s, target := newStand(t), newStub(t)
	w := s.worker()
	m := call("fn1", "", withCallback("http://user:pa%20ss@"+target.addr+"/cb"))
	s.broker.publish(t, m)
	w.posted(t, m, "done")
	got := target.all()[0]
	switch want := "Basic " + base64.StdEncoding.EncodeToString([]byte("user:pa ss")); {
	case got.Header.Get("Authorization") != want:
		t.Errorf("the callback was %s with %q, want authorization %v", got.URI, got.Header.Get("Authorization"), want)
	case got.URI != "/cb":
		t.Errorf(`the callback was %s with %q, want URI "/cb"`, got.URI, got.Header.Get("Authorization"))
	}
}

func TestTheHeaderWinsOverTheURLObject(t *testing.T) {
	t.Parallel()
	s, target := newStand(t), newStub(t)
	w := s.worker()
	host := func(path string) string {
		return `"CallbackUrl":{"Scheme":"http","Opaque":"","User":{},"Host":"` + target.addr + `","Path":"` + path + `"}`
	}
	s.broker.publishRaw(t,
		`{"Function":"fn1","Header":{"X-Call-Id":["both"],"X-Callback-Url":["http://u:p@`+target.addr+`/header"]},`+host("/object")+`}`,
		`{"Function":"fn1","Header":{"X-Call-Id":["object"]},`+host("/object")+`}`)
	for _, callID := range []string{"both", "object"} {
		w.event(t, "the callback of "+callID, func(e entry) bool {
			return e.message() == "callback" && e.text("call_id") == callID && e.text("next") == "done"
		})
	}
	for _, got := range target.all() {
		want := map[string]string{"both": "/header", "object": "/object"}[got.callID()]
		if got.URI != want {
			t.Errorf("the callback of %s went to %s, want %v", got.callID(), got.URI, want)
		}
		if lossy := got.callID() == "object"; lossy && got.Header["Authorization"] != nil {
			t.Errorf(`credentials that got lost on the wire are sent as %q, want got.Header["Authorization"] nil`, got.Header["Authorization"])
		}
	}
}

func TestRefusedCallbacksAreDeadAtOnceAndTheResultStands(t *testing.T) {
	t.Parallel()
	s, canary := newStand(t, "callback_allow="), newStub(t)
	_, port, _ := strings.Cut(canary.addr, ":")
	w := s.worker()
	own := strings.TrimPrefix(w.base, "http://")
	urls := []string{
		canary.url(), "http://localhost:" + port, "http://[::1]:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://0.0.0.0:" + port, "http://2130706433:" + port,
		"http://169.254.169.254/latest/meta-data", "http://" + own + "/v1/dead_set", "ftp://" + canary.addr, "http://", "file:///etc/passwd", "http://%zz",
	}
	var all []*message
	for _, u := range urls {
		m := call("fn1", "", withCallback(u))
		s.broker.publishRaw(t, encode(t, m)) // no gateway would take all of them
		all = append(all, m)
	}
	for i, m := range all {
		w.next(t, m, "done")
		if e := w.posted(t, m, "dead"); e.text("reason") != "callback_refused" {
			t.Errorf(`the callback to %s came to %v, want reason "callback_refused"`, urls[i], e)
		}
	}
	if n := len(canary.all()); n != 0 {
		t.Errorf("%d callbacks reached what they must not, want 0", n)
	}
	letters := w.deadSet(t)
	if len(letters) != len(urls) {
		t.Errorf("the dead set has %d dead letters, want %d letters", len(letters), len(urls))
	}
	for _, l := range letters {
		switch {
		case l.Kind != "callback":
			t.Errorf(`a dead letter is %+v, want kind "callback"`, l)
		case l.Reason != "callback_refused":
			t.Errorf(`a dead letter is %+v, want reason "callback_refused"`, l)
		}
	}
}

func TestTheGatewayIsAlwaysAllowedAndOurOwnListenerNever(t *testing.T) {
	t.Parallel()
	s := newStand(t, "callback_allow=")
	w := s.worker()
	m := call("fn1", "", withCallback(s.gateway.url()+"/async-function/next"))
	s.broker.publish(t, m)
	w.posted(t, m, "done")

	open := newStand(t, "callback_policy=open", "callback_allow=127.0.0.0/8")
	w = open.worker()
	m = call("fn1", "", withCallback(w.base+"/v1/dead_set"))
	open.broker.publish(t, m)
	if e := w.posted(t, m, "dead"); e.text("reason") != "callback_refused" {
		t.Errorf(`a callback to the worker itself came to %v, want reason "callback_refused"`, e)
	}
}

func TestACallbackThatHangsIsCutOffAndDelaysNoFunction(t *testing.T) {
	t.Parallel()
	s, target := newStand(t, "callback_timeout=500ms", "max_retry_attempts=0", "max_inflight=2"), newStub(t)
	target.tell(always(answer{Delay: time.Hour}))
	w := s.worker()
	m, other := call("fn1", "", withCallback(target.url())), call("fn2", "")
	s.broker.publish(t, m)
	target.await(t, 1)
	s.broker.publish(t, other)
	w.next(t, other, "done")
	if e := w.posted(t, m, "dead"); e.text("cause") != "timeout" {
		t.Errorf(`the callback came to %v, want cause "timeout"`, e)
	}
}
