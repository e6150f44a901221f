package worker

// With the real client and real servers: the whole way of an invocation. Waits
// are short here, and nothing is judged by the clock but "not before".

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"queue-worker/pkg/egress"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
)

// request is what a server got.
type request struct {
	*http.Request
	body       string
	begun, end time.Time
}

// server records what it gets and answers with h.
type server struct {
	*httptest.Server
	mu   sync.Mutex
	got  []request
	many map[string]int
}

// serve starts a server; n counts the requests of one path, from 0.
func serve(t *testing.T, h func(w http.ResponseWriter, r *http.Request, n int)) *server {
	t.Helper()
	s := &server{many: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		n := s.many[r.URL.Path]
		s.many[r.URL.Path]++
		i := len(s.got)
		s.got = append(s.got, request{Request: r, body: string(body), begun: begun})
		s.mu.Unlock()
		h(w, r, n)
		s.mu.Lock()
		s.got[i].end = time.Now()
		s.mu.Unlock()
	}))
	t.Cleanup(s.Close)
	return s
}

// requests are those of a path.
func (s *server) requests(path string) []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []request
	for _, r := range s.got {
		if r.URL.Path == path {
			found = append(found, r)
		}
	}
	return found
}

// online is a setup with the real client, the gateway at the server, and short waits.
func online(t *testing.T, gateway *server) setup {
	t.Helper()
	u, err := url.Parse(gateway.URL)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := egress.New(egress.Options{Level: egress.Guarded, Allow: []string{"127.0.0.0/8"}, Gateway: u})
	if err != nil {
		t.Fatal(err)
	}
	s := defaults(t)
	s.policy.Initial, s.policy.Max, s.check = 3*time.Millisecond, 20*time.Millisecond, guard.CheckURL
	client := invoke.New(invoke.Options{
		Gateway: u, MaxResponseBytes: 1 << 10, MaxInflight: s.inflight, Guard: guard, Version: "test",
	})
	t.Cleanup(client.Close)
	s.caller = client
	return s
}

func TestAnInvocationOnItsWholeWay(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"in memory", "on disk"} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			hook := serve(t, func(w http.ResponseWriter, _ *http.Request, n int) {
				if n < 2 {
					w.WriteHeader(http.StatusTeapot)
				}
			})
			gateway := serve(t, func(w http.ResponseWriter, _ *http.Request, n int) {
				w.Header().Set("X-Result", "yes")
				w.Header().Set("Set-Cookie", "secret=1")
				if n < 2 {
					w.WriteHeader(http.StatusInternalServerError)
				}
				_, _ = fmt.Fprint(w, "result ", n)
			})
			s := online(t, gateway)
			if dir == "on disk" {
				s.dir = t.TempDir()
			}
			r := start(t, s)
			m := calling("fn", strings.Replace(hook.URL, "//", "//user:pass@", 1)+"/hook?a=b")
			m.Path, m.QueryString = "/path", "q=1"
			r.accept(m)
			r.await(1)

			calls := gateway.requests("/function/fn/path")
			if len(calls) != 3 {
				t.Fatalf("%d calls, want 3\n%s", len(calls), r.log)
			}
			for n, c := range calls {
				switch {
				case c.Header.Get("X-Retry") != strconv.Itoa(n):
					t.Errorf("call %d: %v %q, want X-Retry %v", n, c.Header, c.body, strconv.Itoa(n))
				case c.Header.Get("X-Call-Id") != "call-fn":
					t.Errorf(`call %d: %v %q, want X-Call-Id "call-fn"`, n, c.Header, c.body)
				case c.body != "hello":
					t.Errorf(`call %d: %v %q, want "hello"`, n, c.Header, c.body)
				case c.URL.RawQuery != "q=1":
					t.Errorf(`call %d: %v %q, want RawQuery "q=1"`, n, c.Header, c.body)
				}
				if n > 0 && c.begun.Sub(calls[n-1].end) < 0 {
					t.Errorf("retry %d begins before the call before it ended", n)
				}
			}
			posts := hook.requests("/hook")
			if len(posts) != 3 {
				t.Fatalf("%d posts, want 3: two were not taken", len(posts))
			}
			checkCallback(t, posts)
			switch st := r.store.Stats(); {
			case st.Done != 2:
				t.Errorf("%+v, want Done 2", st)
			case st.Accepted != 2:
				t.Errorf("%+v, want Accepted 2", st)
			case st.Bytes != 0:
				t.Errorf("%+v, want Bytes 0", st)
			}
		})
	}
}

// checkCallback checks what TestAnInvocationOnItsWholeWay posts.
func checkCallback(t *testing.T, posts []request) {
	t.Helper()
	for n, p := range posts {
		user, password, _ := p.BasicAuth()
		switch {
		case user != "user":
			t.Errorf("post %d: %s %q from %s: user = %q, want \"user\"", n, p.Method, p.body, user, user)
		case password != "pass":
			t.Errorf("post %d: %s %q from %s: password = %q, want \"pass\"", n, p.Method, p.body, user, password)
		case p.URL.RawQuery != "a=b":
			t.Errorf("post %d: %s %q from %s: p.URL.RawQuery = %q, want \"a=b\"", n, p.Method, p.body, user, p.URL.RawQuery)
		case p.body != "result 2":
			t.Errorf("post %d: %s %q from %s: p.body = %q, want \"result 2\"", n, p.Method, p.body, user, p.body)
		case p.Method != http.MethodPost:
			t.Errorf("post %d: %s %q from %s: p.Method = %q, want %q", n, p.Method, p.body, user, p.Method, http.MethodPost)
		}
		want := map[string]string{
			"X-Call-Id": "call-fn", "X-Function-Status": "200", "X-Function-Name": "fn", "X-Retry": "2", "X-Retry-Max": "10",
			"User-Agent": "queue-worker/test", "X-Result": "yes", "Set-Cookie": "", "X-Body-Truncated": "",
		}
		for name, value := range want {
			if got := p.Header.Get(name); got != value {
				t.Errorf("post %d: %s is %q, want %q", n, name, got, value)
			}
		}
		switch d, err := strconv.ParseFloat(p.Header.Get("X-Duration-Seconds"), 64); {
		case err != nil:
			t.Errorf("post %d: %v, want nil", n, err)
		case d <= 0:
			t.Errorf("post %d: duration %v, want more than 0", n, d)
		}
	}
}

func TestACallbackOfAResultThatWasCutSaysSo(t *testing.T) {
	t.Parallel()
	hook := serve(t, func(http.ResponseWriter, *http.Request, int) {})
	gateway := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		_, _ = io.WriteString(w, strings.Repeat("x", 3<<10))
	})
	r := start(t, online(t, gateway))
	r.accept(calling("fn", hook.URL+"/hook"))
	r.await(1)
	posts := hook.requests("/hook")
	switch {
	case len(posts) != 1:
		t.Errorf("%+v, want len 1", posts)
	case posts[0].Header.Get("X-Body-Truncated") != "true":
		t.Errorf("%+v: posts[0].Header.Get(\"X-Body-Truncated\") = %q, want \"true\"", posts, posts[0].Header.Get("X-Body-Truncated"))
	case len(posts[0].body) != 1<<10:
		t.Errorf("%+v: len(posts[0].body) = %d, want %d", posts, len(posts[0].body), 1<<10)
	}
}

func TestACallbackThatIsDialledWhereItMustNotIsRefused(t *testing.T) {
	t.Parallel()
	hook := serve(t, func(http.ResponseWriter, *http.Request, int) { t.Error("it was called") })
	gateway := serve(t, func(http.ResponseWriter, *http.Request, int) {})
	s := online(t, gateway)
	guard, err := egress.New(egress.Options{Level: egress.Guarded})
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(gateway.URL)
	client := invoke.New(invoke.Options{Gateway: u, Guard: guard, MaxResponseBytes: 1})
	t.Cleanup(client.Close)
	s.caller = client
	r := start(t, s)
	r.accept(calling("fn", hook.URL))
	r.await(1)
	dead := r.letters()
	switch {
	case len(dead) != 1:
		t.Errorf("%+v, want 1 dead", dead)
	case dead[0].Reason != invocation.CallbackRefused:
		t.Errorf("%+v, want reason %v", dead, invocation.CallbackRefused)
	case dead[0].Kind != invocation.KindCallback:
		t.Errorf("%+v, want kind %v", dead, invocation.KindCallback)
	case dead[0].Calls() != 0:
		t.Errorf("%+v, want calls 0", dead)
	}
	if st := r.store.Stats(); st.Done != 1 {
		t.Errorf("the function's result does not stand: st.Done = %d, want 1", st.Done)
	}
}

func TestAnUnansweredCallIsRememberedWithItsCause(t *testing.T) {
	t.Parallel()
	gateway := serve(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusNotFound)
	})
	gateway.Config.ErrorLog = nil
	r := start(t, online(t, gateway))
	id := r.accept(to("fn"))
	r.await(1)
	inv := r.letter(id)
	switch {
	case inv.Calls() != 2:
		t.Errorf("%+v, want calls 2", inv.Attempts)
	case inv.Attempts[0].Cause != invocation.CauseReset:
		t.Errorf("%+v, want cause %v", inv.Attempts, invocation.CauseReset)
	case inv.Attempts[0].Status != 503:
		t.Errorf("%+v, want status 503", inv.Attempts)
	case inv.Attempts[1].Status != 404:
		t.Errorf("%+v, want status 404", inv.Attempts)
	}
	switch {
	case r.metric("attempts_total", "fn.openfaas-fn", "none") != 1:
		t.Error(`it is not counted, want r.metric("attempts_total", "fn.openfaas-fn", "none") 1`)
	case r.metric("attempts_unanswered_total", "reset") != 1:
		t.Error(`it is not counted, want r.metric("attempts_unanswered_total", "reset") 1`)
	}
}

func TestAnAbortBreaksOffARealCall(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}, 1), make(chan struct{})
	gateway := serve(t, func(_ http.ResponseWriter, r *http.Request, _ int) {
		begun <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	s := online(t, gateway)
	s.dir = t.TempDir()
	r := start(t, s)
	r.accept(to("fn"))
	<-begun
	r.close()
	if len(r.log.lines(t, "aborted")) != 1 {
		t.Error(r.log)
	}
	close(release)
	r = start(t, s)
	r.await(0)
	<-begun
	r.drain()
	switch calls := gateway.requests("/function/fn/"); {
	case len(calls) != 2:
		t.Errorf("%d calls, want 2", len(calls))
	case calls[1].Header.Get("X-Retry") != "0":
		t.Errorf("%d calls: calls[1].Header.Get(\"X-Retry\") = %q, want \"0\"", len(calls), calls[1].Header.Get("X-Retry"))
	}
}

func TestAHeaderThatCannotBeSentIsMalformed(t *testing.T) {
	t.Parallel()
	hook := serve(t, func(http.ResponseWriter, *http.Request, int) {})
	gateway := serve(t, func(http.ResponseWriter, *http.Request, int) { t.Error("it was called") })
	r := start(t, online(t, gateway))
	m := calling("fn", hook.URL+"/hook")
	m.Header["X-Bad"] = []string{"a\r\nb"}
	id := r.accept(m)
	r.await(1)
	switch inv := r.letter(id); {
	case inv.Reason != invocation.Malformed:
		t.Errorf("%+v, want reason %v", inv, invocation.Malformed)
	case inv.Calls() != 0:
		t.Errorf("%+v, want calls 0", inv)
	case inv.Detail == "":
		t.Errorf("%+v, want detail not empty", inv)
	}
	switch posts := hook.requests("/hook"); {
	case len(posts) != 1:
		t.Errorf("its caller gets %v, want len 1", posts)
	case posts[0].Header.Get("X-Function-Status") != "503":
		t.Errorf("its caller gets %v: posts[0].Header.Get(\"X-Function-Status\") = %q, want \"503\"", posts, posts[0].Header.Get("X-Function-Status"))
	}
}

func TestTheWaitIsNeverShortWithRealClocks(t *testing.T) {
	t.Parallel()
	gateway := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusInternalServerError) })
	s := online(t, gateway)
	s.policy.Initial, s.policy.Max, s.policy.Attempts, s.inflight = 5*time.Millisecond, 40*time.Millisecond, 5, 16
	r := start(t, s)
	const functions = 20
	for n := range functions {
		r.accept(to(fmt.Sprint("fn-", n)))
	}
	r.await(functions)
	for n := range functions {
		calls := gateway.requests(fmt.Sprintf("/function/fn-%d/", n))
		if len(calls) != 6 {
			t.Errorf("fn-%d is called %d times, want 6", n, len(calls))
		}
		for i := 1; i < len(calls); i++ {
			want := min(5*time.Millisecond<<(i-1), 40*time.Millisecond)
			if wait := calls[i].begun.Sub(calls[i-1].begun); wait < want {
				t.Errorf("retry %d of fn-%d comes after %s, before %s have passed, want at least %v", i, n, wait, want, want)
			}
		}
	}
}

var _ Caller = (*invoke.Client)(nil)
