package e2e

// Work that is sent over HTTP.

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// sent is an answer to work that was sent.
type sent struct {
	Status int
	Header http.Header
	Body   string
	At     time.Time // when the answer had come
}

// reason is the word for programs in an error's JSON.
func (s sent) reason() string { return parse(s.Body).text("reason") }

// message is the invocation that the answer speaks of, for all that waits for one.
func (s sent) message() *message { return call("", "", with("X-Call-Id", s.Header.Get("X-Call-Id"))) }

// send posts a body with header fields in pairs.
func (w *worker) send(t testing.TB, path, body string, header ...string) sent {
	t.Helper()
	s, err := w.trySend(path, body, header...)
	if err != nil {
		t.Fatalf("POST %s: %v, want no error", path, err)
	}
	return s
}

func (w *worker) trySend(path, body string, header ...string) (sent, error) {
	req, err := http.NewRequest(http.MethodPost, w.base+path, strings.NewReader(body))
	if err != nil {
		return sent{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		return sent{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return sent{res.StatusCode, res.Header, string(b), time.Now().Round(0)}, err
}

// submit sends an invocation that must be taken, and returns it.
func (w *worker) submit(t testing.TB, path, body string, header ...string) *message {
	t.Helper()
	s := w.send(t, path, body, header...)
	switch {
	case s.Status != http.StatusAccepted:
		t.Fatalf("POST %s is answered %d %v %s, want status %d", path, s.Status, s.Header, s.Body, http.StatusAccepted)
	case s.Body != "":
		t.Fatalf("POST %s is answered %d %v %s, want body empty", path, s.Status, s.Header, s.Body)
	case s.Header.Get("X-Call-Id") == "":
		t.Fatalf("POST %s is answered %d %v %s, want X-Call-Id not empty", path, s.Status, s.Header, s.Body)
	}
	return s.message()
}

// produce sends a message for a URL that must be taken, and returns it.
func (w *worker) produce(t testing.TB, text, url string) *message {
	t.Helper()
	s := w.send(t, "/queue/producer/", `{"message":"`+text+`","callback_url":"`+url+`"}`, "Content-Type", "application/json")
	if s.Status != http.StatusAccepted {
		t.Fatalf("POST /queue/producer/ is answered %d %s, want %d", s.Status, s.Body, http.StatusAccepted)
	}
	return s.message()
}

// delivered waits until a producer's message has come to something.
func (w *worker) delivered(t testing.TB, m *message, what string) entry {
	t.Helper()
	return w.event(t, "the message "+id(m)+" to be "+what, func(e entry) bool {
		return e.message() == "posted" && e.text("call_id") == id(m) && e.text("next") == what
	})
}

// half sends a request that announces more than it has, and returns the answer.
func (w *worker) half(t testing.TB, path, body string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(w.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	request := "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 100\r\n\r\n" + body
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// calls are the calls of functions; a gateway is asked other things too.
func (s *stub) calls() []asked {
	var all []asked
	for _, a := range s.all() {
		if a.Function != "" {
			all = append(all, a)
		}
	}
	return all
}

// untouched fails when anything was accepted.
func (w *worker) untouched(t testing.TB) {
	t.Helper()
	if c := w.counts(t); c.accepted != 0 {
		t.Errorf("something was taken in: %+v, want accepted 0", c)
	}
}
