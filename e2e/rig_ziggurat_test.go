package e2e

// The dead set as ziggurat's clients use it.

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/stan.go"
)

// The texts of ziggurat.
const (
	textTopic    = "Topic entity/channel should be provided and must be present in stream routes"
	textCount    = "Count should be positive integer"
	textReplayed = "Replay has been triggered. Please check after some time"
	textDeleted  = "Delete has been triggered. Please check after some time"
)

// peek is GET /v1/dead_set in ziggurat's way.
func (w *worker) peek(t testing.TB, query string) letters {
	t.Helper()
	code, body := w.ask(t, http.MethodGet, "/v1/dead_set?"+query)
	var page struct {
		Messages letters `json:"messages"`
	}
	switch err := json.Unmarshal([]byte(body), &page); {
	case code != http.StatusOK:
		t.Fatalf("a peek at %s answers %d %s, want code %d", query, code, body, http.StatusOK)
	case err != nil:
		t.Fatalf("a peek at %s answers %d %s: got %v, want no error", query, code, body, err)
	case page.Messages == nil:
		t.Fatalf("a peek at %s answers %d %s: got messages %v, want set", query, code, body, page.Messages)
	}
	return page.Messages
}

// replayOldest and deleteOldest are ziggurat's acts. They fail the test unless
// they are answered in ziggurat's words.
func (w *worker) replayOldest(t testing.TB, body string) {
	t.Helper()
	code, got := w.ask(t, http.MethodPost, "/v1/dead_set/replay", asJSON(body))
	checkTriggered(t, code, got, textReplayed)
}

func (w *worker) deleteOldest(t testing.TB, query string) {
	t.Helper()
	code, got := w.ask(t, http.MethodDelete, "/v1/dead_set?"+query)
	checkTriggered(t, code, got, textDeleted)
}

func checkTriggered(t testing.TB, code int, body, text string) {
	t.Helper()
	var done struct {
		Message string `json:"message"`
	}
	switch err := json.Unmarshal([]byte(body), &done); {
	case code != http.StatusOK:
		t.Errorf("it is answered %d %s, want code %d", code, body, http.StatusOK)
	case err != nil:
		t.Errorf("it is answered %d %s: got %v, want no error", code, body, err)
	case done.Message != text:
		t.Errorf("it is answered %d %s: got message %v, want %v", code, body, done.Message, text)
	}
}

// errorOf is the text of an error answer.
func errorOf(t testing.TB, body string) string {
	t.Helper()
	var p struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Errorf("%s is no error answer: %v, want no error", body, err)
	}
	return p.Error
}

// asJSON gives a request a body of JSON.
func asJSON(body string) func(*http.Request) { return sending("application/json", body) }

func sending(contentType, body string) func(*http.Request) {
	return func(r *http.Request) {
		if contentType != "" {
			r.Header.Set("Content-Type", contentType)
		}
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
}

// deploys lets a gateway know some functions and no others; calls are answered as
// configured.
func (s *stub) deploys(call answer, functions ...string) {
	s.tell(always(call))
	s.know(func(a asked) answer {
		if slices.Contains(functions, a.Function) {
			return answer{Body: `{"name":"` + a.Function + `"}`}
		}
		return status(http.StatusNotFound)
	})
}

// bodies are the bodies of letters, or of calls.
func (l letter) body() string { return string(l.Message) }
func (a asked) body() string  { return string(a.Body) }

// publishOn publishes a call to a queue that need not be the default one.
func (b *broker) publishOn(t testing.TB, queue string, m *message) {
	t.Helper()
	c, err := stan.Connect(defaultCluster, clientID(), stan.NatsURL(b.url()))
	if err != nil {
		t.Fatalf("connect to NATS Streaming: %v, want no error", err)
	}
	if err := c.Publish(queue, []byte(encode(t, m))); err != nil {
		t.Fatalf("publish: %v, want no error", err)
	}
	if err := c.Close(); err != nil {
		t.Fatalf("close the connection to NATS Streaming: %v, want no error", err)
	}
}
