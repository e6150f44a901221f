package e2e

// A server that records its requests and answers as configured: the gateway
// with the functions behind it, or where callbacks go.

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

// asked is one request that a stub got. Its times are those of the wall clock, by
// which the worker plans too.
type asked struct {
	At       time.Time // when its body had been read
	Done     time.Time // just before it was answered; zero while it was not
	Broken   bool      // the caller went away before that
	Method   string
	URI      string // as in the request line
	Host     string
	Header   http.Header
	Body     []byte
	Function string // of /function/<function>...; empty for anything else
	Status   int    // what it was answered
}

func (a asked) callID() string { return a.Header.Get("X-Call-Id") }

// retry is the retry number of the call, -1 when it has none.
func (a asked) retry() int {
	n, err := strconv.Atoi(a.Header.Get("X-Retry"))
	if err != nil {
		return -1
	}
	return n
}

// answer is what a stub answers. The zero answer is 200 at once.
type answer struct {
	Status int
	Header http.Header
	Body   string
	Delay  time.Duration
	Until  <-chan struct{} // not before it is closed
	Hangup bool            // break the connection instead
	Before bool            // it is not the gateway's, which sets X-Start-Time, but of something before it
}

// The credentials that a stub accepts as a gateway.
const gatewayUser, gatewayPassword = "gateway", "password"

// stub is the server.
type stub struct {
	t      testing.TB
	addr   string
	server *http.Server

	mu     sync.Mutex
	answer func(asked) answer
	asked  []*asked
	// What a gateway is asked about functions is kept apart from what it is to do.
	knows     func(asked) answer
	questions []asked
	running   int
	most      int           // that ran at once
	changed   chan struct{} // closed and replaced with every request and answer
}

// newStub starts a stub that answers 200. It keeps its port over close and open.
func newStub(t testing.TB) *stub {
	t.Helper()
	s := &stub{t: t, changed: make(chan struct{}), answer: func(asked) answer { return answer{} }, knows: always(answer{Body: "{}"})}
	l, _ := listen(t)
	s.addr = l.Addr().String()
	s.serve(l)
	t.Cleanup(s.close)
	return s
}

func (s *stub) url() string { return "http://" + s.addr }

// close stops listening: who calls is refused, who was being answered is cut off.
func (s *stub) close() { _ = s.server.Close() }

// open listens again. A child that was being started when the stub was closed may
// hold the old listener for another moment.
func (s *stub) open() {
	s.t.Helper()
	testkit.Eventually(s.t, "port "+s.addr+" to be free again", func() bool {
		l, err := net.Listen("tcp", s.addr)
		if err == nil {
			s.serve(l)
		}
		return err == nil
	})
}

func (s *stub) serve(l net.Listener) {
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: patience}
	go func() {
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.t.Errorf("the stub no longer serves: %v", err)
		}
	}()
}

// know says how to answer questions about functions from now on. Without it every
// function is known, and none has annotations.
func (s *stub) know(f func(asked) answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.knows = f
}

// inquiries are the questions about functions so far.
func (s *stub) inquiries() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.questions)
}

// tell says how to answer from now on.
func (s *stub) tell(f func(asked) answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// always is the same answer to everybody.
func always(a answer) func(asked) answer { return func(asked) answer { return a } }

// status is an answer with nothing but that.
func status(n int) answer { return answer{Status: n} }

// byRetry gives the first answer to first calls, the second to first retries, and
// so on; the last one to all that come after.
func byRetry(answers ...answer) func(asked) answer {
	return func(a asked) answer { return answers[min(max(a.retry(), 0), len(answers)-1)] }
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller died while it was sending
	}
	if name, ok := strings.CutPrefix(r.URL.Path, "/system/function/"); ok {
		s.inform(w, r, name)
		return
	}
	if user, password, _ := r.BasicAuth(); r.URL.Path == "/system/functions" && user == gatewayUser && password == gatewayPassword {
		_, _ = io.WriteString(w, "[]") // which proves that these are its credentials
		return
	}
	a, say := s.begin(&asked{
		At: time.Now().Round(0), Method: r.Method, URI: r.RequestURI, Host: r.Host,
		Header: r.Header.Clone(), Body: body, Function: functionOf(r.URL.Path),
	})
	if say.Status == 0 {
		say.Status = http.StatusOK
	}
	broken := wait(r.Context(), say)
	s.end(a, say.Status, broken)
	if say.Hangup {
		panic(http.ErrAbortHandler)
	}
	if a.Function != "" && !say.Before {
		w.Header().Set("X-Start-Time", strconv.FormatInt(a.At.UnixNano(), 10))
	}
	for name, values := range say.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(say.Status)
	_, _ = io.WriteString(w, say.Body)
}

// inform answers a question about a function.
func (s *stub) inform(w http.ResponseWriter, r *http.Request, function string) {
	a := asked{At: time.Now().Round(0), Method: r.Method, URI: r.RequestURI, Header: r.Header.Clone(), Function: function}
	s.mu.Lock()
	say := s.knows(a)
	a.Status = max(say.Status, http.StatusOK)
	s.questions = append(s.questions, a)
	s.mu.Unlock()
	if wait(r.Context(), say) || say.Hangup {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, say.Body)
}

// wait waits as long as the answer wants and reports whether the caller went away.
func wait(caller context.Context, say answer) (broken bool) {
	if say.Delay > 0 {
		timer := time.NewTimer(say.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-caller.Done():
			return true
		}
	}
	if say.Until == nil {
		return false
	}
	select {
	case <-say.Until:
		return false
	case <-caller.Done():
		return true
	}
}

func functionOf(path string) string {
	rest, ok := strings.CutPrefix(path, "/function/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func (s *stub) begin(a *asked) (*asked, answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, a)
	s.running++
	s.most = max(s.most, s.running)
	s.note()
	return a, s.answer(*a)
}

func (s *stub) end(a *asked, status int, broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.Status, a.Broken, a.Done = status, broken, time.Now().Round(0)
	s.running--
	s.note()
}

// note wakes who waits; the lock is held.
func (s *stub) note() { close(s.changed); s.changed = make(chan struct{}) }

// all is what was asked so far, in the order in which it came.
func (s *stub) all() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copied()
}

func (s *stub) copied() []asked {
	all := make([]asked, 0, len(s.asked))
	for _, a := range s.asked {
		all = append(all, *a)
	}
	return all
}

// of is what was asked with a call id.
func (s *stub) of(m *message) []asked {
	return slices.DeleteFunc(s.all(), func(a asked) bool { return a.callID() != id(m) })
}

// await waits until n requests have come.
func (s *stub) await(t testing.TB, n int) []asked {
	t.Helper()
	return s.awaitThat(t, "request "+strconv.Itoa(n), func(all []asked) bool { return len(all) >= n })
}

// awaitDone waits until n requests have been answered.
func (s *stub) awaitDone(t testing.TB, n int) []asked {
	t.Helper()
	return s.awaitThat(t, "answer "+strconv.Itoa(n), func(all []asked) bool {
		left := n
		for _, a := range all {
			if !a.Done.IsZero() {
				left--
			}
		}
		return left <= 0
	})
}

func (s *stub) awaitThat(t testing.TB, what string, is func([]asked) bool) []asked {
	t.Helper()
	late := time.After(patience)
	for {
		s.mu.Lock()
		all, changed := s.copied(), s.changed
		s.mu.Unlock()
		if is(all) {
			return all
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("waited in vain for %s; there were %d requests", what, len(all))
		}
	}
}

// mostAtOnce is how many requests were being answered at the same time.
func (s *stub) mostAtOnce() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}
