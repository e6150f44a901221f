package e2e

// Taking work in: POST /async-function/{fn}.

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestASubmissionIsCalledAsTheGatewaysWouldBe(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		w := s.worker()
		before := time.Now()
		m := w.submit(t, "/async-function/figlet.openfaas-fn/v1/a%2Fb?x=1&y=%20", "hello\x00", "Content-Type", "text/x", "X-Mine", "1")
		w.next(t, m, "done")
		a := s.gateway.calls()[0]
		if a.Method != "POST" || a.URI != "/function/figlet.openfaas-fn/v1/a%2Fb?x=1&y=%20" || string(a.Body) != "hello\x00" {
			t.Errorf("it is called as %s %s with %q", a.Method, a.URI, a.Body)
		}
		h := a.Header
		if a.callID() != id(m) || h.Get("Content-Type") != "text/x" || h.Get("X-Mine") != "1" || h.Get("X-Retry") != "0" {
			t.Errorf("its header is %v", h)
		}
		var ns int64
		if _, err := fmt.Sscan(h.Get("X-Start-Time"), &ns); err != nil || ns < before.UnixNano() || ns > a.At.UnixNano() {
			t.Errorf("X-Start-Time is %q", h.Values("X-Start-Time"))
		}
		w.idle(t)
		if n := w.metrics(t).sum("queue_worker_messages_submitted_total", "queue_name", "faas-request"); n != 1 {
			t.Errorf("queue_worker_messages_submitted_total is %v", n)
		}
	})
}

func TestASubmissionIsRetriedLikeTheGateways(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s, target := newStand(t, "initial_retry_wait=10ms", "max_retry_attempts=2", mode), newStub(t)
		s.gateway.tell(func(a asked) answer {
			if a.Function == "bad" {
				return status(500)
			}
			return answer{}
		})
		w := s.worker()
		m := w.submit(t, "/async-function/bad", "hi", "X-Callback-Url", target.url())
		w.next(t, m, "dead")
		if l := w.deadSet(t).only(t); l.Reason != "attempts_exhausted" || len(l.Attempts) != 3 || string(l.Message) != "hi" {
			t.Errorf("the letter is %s", l)
		}
		if cb := target.awaitDone(t, 1)[0]; cb.Header.Get("X-Function-Status") != "500" || cb.callID() != id(m) {
			t.Errorf("the callback is %v", cb.Header)
		}
	})
}

func TestBodiesUpToTheBoundAreTakenAndNoMore(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_request_bytes=2MiB")
	w := s.worker()
	body := make([]byte, 2<<20)
	_, _ = rand.Read(body) // never an error
	w.next(t, w.submit(t, "/async-function/fn1", string(body)), "done")
	if got := s.gateway.calls()[0].Body; !bytes.Equal(got, body) {
		t.Errorf("%d bytes arrive, others than were sent", len(got))
	}
	for _, path := range []string{"/async-function/fn1", "/deadletter/fn1", "/queue/producer/"} {
		got := w.send(t, path, string(body)+"x")
		if got.Status != http.StatusRequestEntityTooLarge || !strings.Contains(got.Body, "max_request_bytes") {
			t.Errorf("%s: one more byte is answered %d %s", path, got.Status, got.Body)
		}
	}
	if c := w.idle(t); c.accepted != 1 {
		t.Errorf("there are %+v", c)
	}
}

func TestABodyThatTheQueueDoesNotTakeIsTooLarge(t *testing.T) {
	t.Parallel()
	s := newStand(t, "data_dir=", "max_request_bytes=20MiB")
	w := s.worker()
	got := w.send(t, "/async-function/fn1", strings.Repeat("x", 14<<20)) // the broker takes 16 MiB
	if got.Status != http.StatusRequestEntityTooLarge || !strings.Contains(got.Body, "max_payload") {
		t.Errorf("the answer is %d %s", got.Status, got.Body)
	}
	w.next(t, w.submit(t, "/async-function/fn1", "small"), "done")
}

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
				if err != nil || got.Status != http.StatusAccepted {
					t.Errorf("the answer is %d %s %v", got.Status, got.Body, err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				ids[got.Header.Get("X-Call-Id")+" "+got.Header.Get("X-Invocation-Id")]++
			})
		}
		all.Wait()
		if len(ids) != 1 {
			t.Fatalf("twenty times the same key was answered with %v", ids)
		}
		again := w.send(t, "/async-function/fn1.openfaas-fn", "pay", "Idempotency-Key", "order-1")
		w.next(t, again.message(), "done")
		if other := w.send(t, "/async-function/fn1", "pay more", "Idempotency-Key", "order-1"); other.Status != 422 || other.reason() != "key_reused" {
			t.Errorf("another payload is answered %d %s", other.Status, other.Body)
		}
		w.submit(t, "/async-function/fn2", "pay", "Idempotency-Key", "order-1")
		w.idle(t)
		calls := s.gateway.calls()
		if len(calls) != 2 {
			t.Fatalf("there were %d calls", len(calls))
		}
		if got := calls[0].Header.Get("Idempotency-Key"); got != "order-1" {
			t.Errorf("the function sees the key %q", got)
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
			t.Fatalf("the attacker's request is answered %d %s", attack.Status, attack.Body)
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
				t.Errorf("%s was called with %q", c.URI, auth)
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
	eventually(t, "the key to be forgotten", func() bool {
		got := w.send(t, "/async-function/fn1", "pay", "Idempotency-Key", "k")
		return got.Status == http.StatusAccepted && id(got.message()) != id(first)
	})
	if took := time.Since(begun); took < 3*time.Second {
		t.Errorf("the key was forgotten after %s", took)
	}
}

func TestAnInvocationWaitsForItsTime(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		w := s.worker()
		begun := time.Now().Round(0)
		moment := begun.Add(4 * time.Second).Truncate(time.Second)
		want := map[*message]time.Time{
			w.submit(t, "/async-function/fn1", "", "X-Delay-Duration", "2"):                              begun.Add(2 * time.Second),
			w.submit(t, "/async-function/fn2", "", "X-Delay-Duration", "1500ms"):                         begun.Add(1500 * time.Millisecond),
			w.submit(t, "/async-function/fn3", "", "X-Not-Before", moment.UTC().Format(time.RFC3339)):    moment,
			w.submit(t, "/async-function/fn4", "", "X-Not-Before", begun.UTC().Format(time.RFC3339Nano)): begun,
		}
		for m, due := range want {
			w.next(t, m, "done")
			a := s.gateway.of(m)
			if len(a) != 1 || a[0].At.Before(due) {
				t.Errorf("due at %s, called as %+v", due, a)
			}
			for _, name := range []string{"X-Delay-Duration", "X-Not-Before"} {
				if a[0].Header.Get(name) != "" {
					t.Errorf("the function sees %s", name)
				}
			}
		}
	})
}

func TestAnInvocationThatIsTooOldIsDead(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, "initial_retry_wait=1h", "max_retry_wait=1h", mode)
		s.gateway.tell(always(status(500)))
		w := s.worker()
		m := w.submit(t, "/async-function/fn1", "", "X-Max-Age", "30m")
		w.event(t, "the end of "+id(m), func(e entry) bool { return e.text("call_id") == id(m) && e.text("reason") == "max_age_exceeded" })
		l := w.deadSet(t).only(t)
		if l.Reason != "max_age_exceeded" || len(l.Attempts) != 1 || l.Status != 500 {
			t.Errorf("the letter is %s", l)
		}
		a := s.gateway.of(m)[0]
		end, err := time.Parse(time.RFC3339, a.Header.Get("X-Deadline"))
		if err != nil || end.Sub(a.At) > 30*time.Minute || end.Sub(a.At) < 28*time.Minute {
			t.Errorf("the function gets X-Deadline %q", a.Header.Get("X-Deadline"))
		}
	})
}

func TestAnUnknownFunctionIsRefusedWhenTheGatewayIsSure(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		gateway  int // what it says of any function; 0: it is down
		setting  string
		status   int
		question bool
	}{
		"it is there":             {200, "", 202, true},
		"it is not there":         {404, "", 404, true},
		"the check is off":        {404, "ingest_check=false", 202, false},
		"it proves nothing":       {404, "secret_mount_path=/none", 202, true},
		"the gateway wants more":  {401, "", 202, true},
		"the gateway fails":       {503, "", 202, true},
		"the gateway is not here": {0, "", 202, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, "ingest_check=true", tt.setting)
			s.gateway.know(always(status(tt.gateway)))
			if tt.gateway == 0 {
				s.gateway.close()
			}
			w := s.worker()
			got := w.send(t, "/async-function/fn1.staging", "x")
			if got.Status != tt.status || tt.status == 404 && got.reason() != "unknown_function" {
				t.Fatalf("the answer is %d %s", got.Status, got.Body)
			}
			if tt.gateway == 0 {
				s.gateway.open()
			}
			w.idle(t)
			all := s.gateway.inquiries()
			first := len(all) > 0 && all[0].URI == "/system/function/fn1?namespace=staging" && all[0].Method == "GET"
			if tt.question && !first { // otherwise it is asked for annotations at most
				t.Errorf("the gateway was asked %+v", all)
			}
			if called := len(s.gateway.calls()) > 0; called != (tt.status == 202) {
				t.Errorf("called: %v", called)
			}
			if mail := w.send(t, "/deadletter/fn1", "x", "X-Delay-Duration", "0"); mail.Status != 202 {
				t.Errorf("the mailbox answers %d %s", mail.Status, mail.Body)
			}
		})
	}
}

func TestTheGatewayIsAskedWithTheCredentialsOfTheSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeSecret(t, dir, "admin", "first")
	s := newStand(t, "secret_mount_path="+dir)
	s.gateway.tell(always(answer{Body: "[]"})) // to the list of functions
	s.gateway.know(func(a asked) answer {
		if a.Header.Get("Authorization") != "Basic "+encode64("admin:first") {
			return status(401)
		}
		return status(404)
	})
	w := s.worker()
	if got := w.send(t, "/async-function/fn1", "x"); got.Status != http.StatusNotFound {
		t.Errorf("the answer is %d %s", got.Status, got.Body)
	}
}

func writeSecret(t testing.TB, dir, user, password string) {
	t.Helper()
	for name, value := range map[string]string{"basic-auth-user": user, "basic-auth-password": password} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIngestAuthAsksForCredentials(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeSecret(t, dir, "admin", "secret")
	s := newStand(t, "secret_mount_path="+dir, "ingest_auth=true")
	w := s.worker()
	authorized := []string{"Authorization", "Basic " + encode64("admin:secret")}
	for path, body := range map[string]string{
		"/async-function/fn1": "x", "/deadletter/fn1": "x", "/queue/producer/": `{"message":"x","callback_url":"` + s.gateway.url() + `/function/cb"}`,
	} {
		if got := w.send(t, path, body, "X-Delay-Duration", "0"); got.Status != http.StatusUnauthorized {
			t.Errorf("%s without credentials is answered %d %s", path, got.Status, got.Body)
		}
		if got := w.send(t, path, body, append(authorized, "X-Delay-Duration", "0")...); got.Status != http.StatusAccepted {
			t.Errorf("%s is answered %d %s", path, got.Status, got.Body)
		}
	}
	if c := w.idle(t); c.done != 3 {
		t.Errorf("there are %+v", c)
	}
	for _, a := range s.gateway.all() {
		if !strings.HasPrefix(a.URI, "/system/") && a.Header.Get("Authorization") != "" {
			t.Errorf("%s got our credentials", a.URI)
		}
	}
}

func TestNoPageOfAnotherSiteSendsWork(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	for _, path := range []string{"/async-function/fn1", "/deadletter/fn1", "/queue/producer/"} {
		for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "http://evil.example"}} {
			if got := w.send(t, path, "x", header...); got.Status != http.StatusForbidden {
				t.Errorf("%s with %v is answered %d %s", path, header, got.Status, got.Body)
			}
		}
	}
	w.untouched(t)
}

func TestBadSubmissionsAreRefusedWithTheirReason(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	for _, tt := range []struct {
		path, name, value string
		status            int
	}{
		{"/async-function/", "", "", 404}, {"/async-function", "", "", 404}, {"/async-function/a%20b", "", "", 400}, {"/async-function/x%3Fq=1", "", "", 400},
		{"/async-function/a%2Fb", "", "", 400}, {"/async-function/fn1/../x", "", "", 400}, {"/async-function/fn1//x", "", "", 400},
		{"/async-function/fn1", "X-Delay-Duration", "soon", 400}, {"/async-function/fn1", "X-Delay-Duration", "-1", 400},
		{"/async-function/fn1", "X-Delay-Duration", "9223372036854775807", 400}, {"/async-function/fn1", "X-Delay-Duration", "9000h", 400},
		{"/async-function/fn1", "X-Not-Before", "1700000000", 400}, {"/async-function/fn1", "X-Not-Before", "9999-01-01T00:00:00Z", 400},
		{"/async-function/fn1", "X-Max-Age", "0", 400}, {"/async-function/fn1", "X-Max-Age", "1.5", 400},
		{"/async-function/fn1", "Idempotency-Key", strings.Repeat("k", 256), 400}, {"/async-function/fn1", "Idempotency-Key", "", 400},
		{"/async-function/fn1", "X-Callback-Url", "http://[::1", 400}, {"/async-function/fn1", "X-Call-Id", strings.Repeat("c", 257), 400},
	} {
		var header []string
		if tt.name != "" {
			header = []string{tt.name, tt.value}
		}
		got := w.send(t, tt.path, "x", header...)
		if got.Status != tt.status || got.reason() == "" || !strings.Contains(got.Body, tt.name) {
			t.Errorf("%s with %s: %.40q is answered %d %s", tt.path, tt.name, tt.value, got.Status, got.Body)
		}
	}
	w.untouched(t)
}
