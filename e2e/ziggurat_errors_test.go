package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// refusal is a request that is refused.
type refusal struct {
	name, query, contentType, body string
	status                         int
	text                           string
}

// checkRefused sends the requests to all three of ziggurat's operations.
func checkRefused(t *testing.T, w *worker, rows ...refusal) {
	t.Helper()
	for _, row := range rows {
		for _, line := range []string{"GET /v1/dead_set", "DELETE /v1/dead_set", "POST /v1/dead_set/replay"} {
			method, path, _ := strings.Cut(line, " ")
			code, body := w.ask(t, method, path, func(r *http.Request) {
				r.URL.RawQuery = row.query
				if row.body != "" {
					sending(row.contentType, row.body)(r)
				}
			})
			if code != row.status || errorOf(t, body) != row.text {
				t.Errorf("%s: %s: got %d %s, want %d with %q", row.name, line, code, body, row.status, row.text)
			}
		}
	}
}

func TestZ10_Z11_Z12_Z13_Z18_ErrorsAndTheirOrder(t *testing.T) {
	t.Parallel()
	const js = "application/json"
	s, w, _ := newMorgue(t, "a", "b", "c")
	checkRefused(
		t, w,
		refusal{"Z10: no topic", "count=10", "", "", 400, textTopic},
		refusal{"Z10: no topic in JSON", "", js, `{"count":"10"}`, 400, textTopic},
		refusal{"Z11: an unknown topic", "count=10&topic-entity=nope", "", "", 400, textTopic},
		refusal{"Z11: in JSON", "", js, `{"count":"10","topic_entity":"nope"}`, 400, textTopic},
		refusal{"Z11: of another namespace", "count=10&topic-entity=nope.staging", "", "", 400, textTopic},
		refusal{"a topic that is a number", "", js, `{"count":"10","topic_entity":1}`, 400, textTopic},
		refusal{"Z12: abc", "count=abc&topic-entity=fn1", "", "", 400, textCount},
		refusal{"Z12: -1", "count=-1&topic-entity=fn1", "", "", 400, textCount},
		refusal{"Z12: 1.5", "count=1.5&topic-entity=fn1", "", "", 400, textCount},
		refusal{"Z12: 2147483648", "count=2147483648&topic-entity=fn1", "", "", 400, textCount},
		refusal{"Z12: missing", "topic-entity=fn1", "", "", 400, textCount},
		refusal{"Z12: -1 as a number", "", js, `{"count":-1,"topic_entity":"fn1"}`, 400, textCount},
		refusal{"Z12: a list", "", js, `{"count":[1],"topic_entity":"fn1"}`, 400, textCount},
		refusal{"Z13: both wrong", "count=abc&topic-entity=nope", "", "", 400, textTopic},
		refusal{"Z18: bad JSON", "", js, `{bad`, 400, "Malformed JSON in request body."},
		refusal{"Z18: beside a good query", "count=1&topic-entity=fn1", js, `{bad`, 400, "Malformed JSON in request body."},
	)
	for _, line := range []string{"DELETE /v1/dead_set", "POST /v1/dead_set/replay"} { // Z10: neither topic nor count
		method, path, _ := strings.Cut(line, " ")
		code, body := w.ask(t, method, path)
		if code != 400 || errorOf(t, body) != textTopic {
			t.Errorf("%s: got %d %s, want 400 with %q", line, code, body, textTopic)
		}
	}
	if got := len(w.peek(t, "count=10&topic-entity=fn1")); got != 3 {
		t.Errorf("got %d dead letters after the refused requests, want 3", got)
	}
	if got := len(s.gateway.calls()); got != 3 {
		t.Errorf("got %d calls after the refused requests, want 3", got)
	}
}

func TestZ11_ATopicIsKnownWhenTheGatewayCannotTell(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]answer{"401": status(401), "500": status(500)} {
		s := newStand(t)
		s.gateway.tell(always(answer))
		if got := s.worker().peek(t, "count=1&topic-entity=nope"); len(got) != 0 {
			t.Errorf("with %s: got %v, want an empty list", name, got)
		}
	}
	s := newStand(t)
	w := s.worker()
	s.gateway.close()
	if got := w.peek(t, "count=1&topic-entity=nope"); len(got) != 0 {
		t.Errorf("without a gateway: got %v, want an empty list", got)
	}
}
