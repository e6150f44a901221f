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
		switch {
		case a.Method != "POST":
			t.Errorf(`it is called as %s %s with %q, want method "POST"`, a.Method, a.URI, a.Body)
		case a.URI != "/function/figlet.openfaas-fn/v1/a%2Fb?x=1&y=%20":
			t.Errorf(`it is called as %s %s with %q, want URI "/function/figlet.openfaas-fn/v1/a%%2Fb?x=1&y=%%20"`, a.Method, a.URI, a.Body)
		case string(a.Body) != "hello\x00":
			t.Errorf(`it is called as %s %s with %q, want body "hello\x00"`, a.Method, a.URI, a.Body)
		}
		h := a.Header
		switch {
		case a.callID() != id(m):
			t.Errorf("its header is %v, want callID %v", h, id(m))
		case h.Get("Content-Type") != "text/x":
			t.Errorf(`its header is %v, want Content-Type "text/x"`, h)
		case h.Get("X-Mine") != "1":
			t.Errorf(`its header is %v, want X-Mine "1"`, h)
		case h.Get("X-Retry") != "0":
			t.Errorf(`its header is %v, want X-Retry "0"`, h)
		}
		var ns int64
		switch _, err := fmt.Sscan(h.Get("X-Start-Time"), &ns); {
		case err != nil:
			t.Errorf("X-Start-Time is %q: got %v, want no error", h.Values("X-Start-Time"), err)
		case ns < before.UnixNano():
			t.Errorf("X-Start-Time is %q: got ns %v, want at least %v", h.Values("X-Start-Time"), ns, before.UnixNano())
		case ns > a.At.UnixNano():
			t.Errorf("X-Start-Time is %q: got ns %v, want at most %v", h.Values("X-Start-Time"), ns, a.At.UnixNano())
		}
		w.idle(t)
		if n := w.metrics(t).sum("queue_worker_messages_submitted_total", "queue_name", "faas-request"); n != 1 {
			t.Errorf("queue_worker_messages_submitted_total is %v, want 1", n)
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
		switch l := w.deadSet(t).only(t); {
		case l.Reason != "attempts_exhausted":
			t.Errorf(`the letter is %s, want reason "attempts_exhausted"`, l)
		case len(l.Attempts) != 3:
			t.Errorf("the letter is %s, want 3 attempts", l)
		case string(l.Message) != "hi":
			t.Errorf(`the letter is %s, want message "hi"`, l)
		}
		switch cb := target.awaitDone(t, 1)[0]; {
		case cb.Header.Get("X-Function-Status") != "500":
			t.Errorf(`the callback is %v, want X-Function-Status "500"`, cb.Header)
		case cb.callID() != id(m):
			t.Errorf("the callback is %v, want callID %v", cb.Header, id(m))
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
		t.Errorf("%d bytes arrive, others than were sent, want %.100q", len(got), body)
	}
	for _, path := range []string{"/async-function/fn1", "/deadletter/fn1", "/queue/producer/"} {
		got := w.send(t, path, string(body)+"x")
		switch {
		case got.Status != http.StatusRequestEntityTooLarge:
			t.Errorf("%s: one more byte is answered %d %s, want status %d", path, got.Status, got.Body, http.StatusRequestEntityTooLarge)
		case !strings.Contains(got.Body, "max_request_bytes"):
			t.Errorf(`%s: one more byte is answered %d %s, want "max_request_bytes" in it`, path, got.Status, got.Body)
		}
	}
	if c := w.idle(t); c.accepted != 1 {
		t.Errorf("there are %+v, want accepted 1", c)
	}
}

func TestABodyThatTheQueueDoesNotTakeIsTooLarge(t *testing.T) {
	t.Parallel()
	s := newStand(t, "data_dir=", "max_request_bytes=20MiB")
	w := s.worker()
	got := w.send(t, "/async-function/fn1", strings.Repeat("x", 14<<20)) // the broker takes 16 MiB
	switch {
	case got.Status != http.StatusRequestEntityTooLarge:
		t.Errorf("the answer is %d %s, want status %d", got.Status, got.Body, http.StatusRequestEntityTooLarge)
	case !strings.Contains(got.Body, "max_payload"):
		t.Errorf(`the answer is %d %s, want "max_payload" in it`, got.Status, got.Body)
	}
	w.next(t, w.submit(t, "/async-function/fn1", "small"), "done")
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
			switch {
			case len(a) != 1:
				t.Errorf("due at %s, called as %+v, want 1", due, a)
			case a[0].At.Before(due):
				t.Errorf("due at %s, called as %+v, want at not before %v", due, a, due)
			}
			for _, name := range []string{"X-Delay-Duration", "X-Not-Before"} {
				if a[0].Header.Get(name) != "" {
					t.Errorf("the function sees %s, want a[0].Header.Get(name) empty", name)
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
		switch {
		case l.Reason != "max_age_exceeded":
			t.Errorf(`the letter is %s, want reason "max_age_exceeded"`, l)
		case len(l.Attempts) != 1:
			t.Errorf("the letter is %s, want 1 attempt", l)
		case l.Status != 500:
			t.Errorf("the letter is %s, want status 500", l)
		}
		a := s.gateway.of(m)[0]
		end, err := time.Parse(time.RFC3339, a.Header.Get("X-Deadline"))
		switch {
		case err != nil:
			t.Errorf("the function gets X-Deadline %q: got %v, want no error", a.Header.Get("X-Deadline"), err)
		case end.Sub(a.At) > 30*time.Minute:
			t.Errorf("the function gets X-Deadline %q, want end.Sub(a.At) at most %v", a.Header.Get("X-Deadline"), 30*time.Minute)
		case end.Sub(a.At) < 28*time.Minute:
			t.Errorf("the function gets X-Deadline %q, want end.Sub(a.At) at least %v", a.Header.Get("X-Deadline"), 28*time.Minute)
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
			switch {
			case got.Status != tt.status:
				t.Fatalf("the answer is %d %s, want status %v", got.Status, got.Body, tt.status)
			case tt.status == 404 && got.reason() != "unknown_function":
				t.Fatalf(`the answer is %d %s, want reason "unknown_function"`, got.Status, got.Body)
			}
			if tt.gateway == 0 {
				s.gateway.open()
			}
			w.idle(t)
			all := s.gateway.inquiries()
			first := len(all) > 0 && all[0].URI == "/system/function/fn1?namespace=staging" && all[0].Method == "GET"
			if tt.question && !first { // otherwise it is asked for annotations at most
				t.Errorf("the gateway was asked %+v, want a question about the function first", all)
			}
			if called := len(s.gateway.calls()) > 0; called != (tt.status == 202) {
				t.Errorf("called: %v, want %v", called, tt.status == 202)
			}
			if mail := w.send(t, "/deadletter/fn1", "x", "X-Delay-Duration", "0"); mail.Status != 202 {
				t.Errorf("the mailbox answers %d %s, want 202", mail.Status, mail.Body)
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
		t.Errorf("the answer is %d %s, want %d", got.Status, got.Body, http.StatusNotFound)
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
			t.Errorf("%s without credentials is answered %d %s, want %d", path, got.Status, got.Body, http.StatusUnauthorized)
		}
		if got := w.send(t, path, body, append(authorized, "X-Delay-Duration", "0")...); got.Status != http.StatusAccepted {
			t.Errorf("%s is answered %d %s, want %d", path, got.Status, got.Body, http.StatusAccepted)
		}
	}
	if c := w.idle(t); c.done != 3 {
		t.Errorf("there are %+v, want done 3", c)
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
				t.Errorf("%s with %v is answered %d %s, want %d", path, header, got.Status, got.Body, http.StatusForbidden)
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
		switch {
		case got.Status != tt.status:
			t.Errorf("%s with %s: %.40q is answered %d %s, want status %v", tt.path, tt.name, tt.value, got.Status, got.Body, tt.status)
		case got.reason() == "":
			t.Errorf("%s with %s: %.40q is answered %d %s, want reason not empty", tt.path, tt.name, tt.value, got.Status, got.Body)
		case !strings.Contains(got.Body, tt.name):
			t.Errorf("%s with %s: %.40q is answered %d %s, want it", tt.path, tt.name, tt.value, got.Status, got.Body)
		}
	}
	w.untouched(t)
}
