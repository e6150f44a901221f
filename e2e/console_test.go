package e2e

// The state in words: of the API, of the console, and of the command line.

import (
	"net/http"
	"strings"
	"testing"
)

func TestTheConsoleSaysWhatNeedsAnOperator(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	s.gateway.tell(func(asked) answer { return status(500) })
	w := s.worker()
	if code, body := w.ask(t, http.MethodGet, "/"); code != http.StatusOK || !strings.Contains(body, "No invocations yet. The worker is ready.") {
		t.Errorf("got %d %s, want 200 and a worker that is ready", code, body)
	}
	m := call("fn1", "x")
	s.broker.publish(t, m)
	w.next(t, m, "dead")
	for path, want := range map[string]string{
		"/":                        "fn1.openfaas-fn: 1 invocation given up in the last 15 minutes",
		"/v1/status":               `"rule":"given_up"`,
		"/dead":                    "1 dead letter in 1 group",
		"/?by=name":                "giving up",
		"/v1/functions?history=1h": `"given_up":[`,
	} {
		if code, body := w.ask(t, http.MethodGet, path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: got %d %s, want 200 and %q", path, code, body, want)
		}
	}
}

// TestTheAddressOfTheConsoleEndsTheStart: it is the last line that a start writes, and README's tour
// begins there.
func TestTheAddressOfTheConsoleEndsTheStart(t *testing.T) {
	t.Parallel()
	w := newDevStand(t).start()
	w.event(t, "the console", func(e entry) bool { return e.message() == "console" })
	w.event(t, "the connection", func(e entry) bool { return e.message() == "connected to NATS Streaming" })
	lines, _ := w.out.since(0)
	if got := parse(lines[len(lines)-1]).message(); got != "console" {
		t.Errorf("the last line of the start: got %q, want %q", got, "console")
	}
}
