package e2e

// Sending, asking, waiting and cancelling from the shell.

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// served makes a stand whose gateway knows every function, and a worker of it.
func served(t *testing.T, say answer, settings ...string) (*stand, *worker) {
	t.Helper()
	s := newStand(t, settings...)
	s.gateway.tell(always(say))
	return s, s.worker()
}

// called are the calls of functions among what the stub was asked.
func (s *stand) called(n int) []asked {
	s.t.Helper()
	isOther := func(a asked) bool { return a.Function == "" }
	all := s.gateway.awaitThat(s.t, "calls", func(all []asked) bool { return len(slices.DeleteFunc(slices.Clone(all), isOther)) >= n })
	return slices.DeleteFunc(all, isOther)
}

func TestCLI_SendTakesBodiesFromEverywhere(t *testing.T) {
	t.Parallel()
	s, w := served(t, status(200))
	file := filepath.Join(t.TempDir(), "order.json")
	for name, body := range map[string]string{file: "from a file \x00", file + ".empty": "", file + ".big": strings.Repeat("big", 100_000)} {
		if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := []string{"QUEUE_WORKER_SERVER=" + w.base}
	for i, tt := range []struct {
		name, stdin string
		args        []string
		body        string
		uri         string
	}{
		{"an argument", "not this", []string{"fn1", "-d", "hello"}, "hello", "/function/fn1/"},
		{"a file", "", []string{"fn1/daily/x y?a=b&c=d", "-d", "@" + file}, "from a file \x00", "/function/fn1/daily/x%20y?a=b&c=d"},
		{"an empty file", "not this", []string{"fn1", "-d", "@" + file + ".empty"}, "", "/function/fn1/"},
		{"a large file", "", []string{"fn1", "-d", "@" + file + ".big"}, strings.Repeat("big", 100_000), "/function/fn1/"},
		{"standard input", "typed\n", []string{"fn1"}, "typed\n", "/function/fn1/"},
		{"standard input by name", "typed", []string{"fn1", "-d", "@-"}, "typed", "/function/fn1/"},
		{"nothing", "", []string{"fn1"}, "", "/function/fn1/"},
	} {
		got := command(t, tt.stdin, server, append([]string{"send"}, tt.args...)...).want(t, 0)
		ids := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\t")
		call := s.called(i + 1)[i]
		if len(ids) != 2 || call.callID() != ids[0] || string(call.Body) != tt.body || call.URI != tt.uri {
			t.Errorf("%s: the ids are %q, the call is %s %s with %d bytes", tt.name, ids, call.callID(), call.URI, len(call.Body))
		}
	}
	w.cli(t, "send", "fn1", "-d", "@"+file+".none").want(t, 1, "no such file")
}

func TestCLI_SendSaysWhenAndHow(t *testing.T) {
	t.Parallel()
	s, w := served(t, status(200))
	w.cli(t, "send", "fn1", "-d", "x", "-H", "X-Order: 7", "-H", "X-Order: 8", "--idempotency-key", "order-7", "-o", "json").want(t, 0, `"call_id":"`)
	call := s.called(1)[0]
	if !slices.Equal(call.Header["X-Order"], []string{"7", "8"}) || call.Header.Get("Idempotency-Key") != "order-7" {
		t.Errorf("the header is %v", call.Header)
	}
	first := w.cli(t, "send", "fn1", "-d", "x", "--idempotency-key", "order-7").want(t, 0).stdout
	if !strings.HasPrefix(first, call.callID()+"\t") {
		t.Errorf("the same again is %q, not %s", first, call.callID())
	}
	w.cli(t, "send", "fn1", "-d", "y", "--idempotency-key", "order-7").want(t, 1, "key")
	w.cli(t, "send", "fn1", "-d", "later", "--delay", "1h").want(t, 0)
	w.cli(t, "send", "fn1", "-d", "later", "--not-before", "2026-01-31T12:00:00Z", "--delay", "1h").want(t, 2, "two ways")
	w.cli(t, "send", "fn1", "-d", "late", "--max-age", "1s", "--delay", "1h").want(t, 2, "X-Max-Age")
	w.cli(t, "send", "a b", "-d", "x").want(t, 2)
	waiting := w.cli(t, "invocation", "ls").want(t, 0).lines()
	if len(waiting) != 1 || !strings.Contains(waiting[0], "\tdelayed\t") {
		t.Errorf("what is pending: %q", waiting)
	}
}

func TestCLI_SendRefusedIsNotTaken(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_request_bytes=1MiB")
	s.gateway.deploys(answer{}, "fn1")
	w := s.worker()
	w.cli(t, "send", "nofn", "-d", "x").want(t, 1, "no function of this name")
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	w.cli(t, "send", "fn1", "-d", "@"+big).want(t, 1, "larger than max_request_bytes")
	command(t, string(make([]byte, 8<<20)), []string{"QUEUE_WORKER_SERVER=" + w.base}, "send", "fn1").want(t, 1, "larger than max_request_bytes")
	if c := w.counts(t); c.accepted != 0 {
		t.Errorf("%g were accepted", c.accepted)
	}
}

func TestCLI_SendAndWaitSaysHowItEnded(t *testing.T) {
	t.Parallel()
	s, w := served(t, answer{Body: "the answer \x1b[2J", Header: http.Header{"Content-Type": {"text/plain"}}}, "result_ttl=10m", "max_retry_attempts=1", "initial_retry_wait=100ms")
	if got := w.cli(t, "send", "fn1", "-d", "x", "--wait", "--timeout", "1m").want(t, 0, "done, status 200"); got.stdout != "the answer \x1b[2J" {
		t.Errorf("the result is %q", got.stdout)
	}
	if screen := w.person(t, "send", "fn1", "-d", "x", "--wait").want(0, `the answer \x1b[2J`); strings.Contains(screen, "\x1b[2J") {
		t.Errorf("the screen is %q", screen)
	}
	got := w.cli(t, "send", "fn1", "-d", "x", "--wait", "-o", "json").want(t, 0)
	var doc struct {
		Invocations []struct {
			ID, State string
			CallID    string `json:"call_id"`
			Result    bool
		}
	}
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || len(doc.Invocations) != 1 || doc.Invocations[0].State != "done" {
		t.Fatalf("the document is %s, %v", got.stdout, err)
	}
	id := doc.Invocations[0].ID
	if got := w.cli(t, "invocation", "get", id, "--result").want(t, 0); got.stdout != "the answer \x1b[2J" {
		t.Errorf("the result is %q", got.stdout)
	}
	w.cli(t, "invocation", "get", id).want(t, 0, "state\tdone\n", "result\tkept\n")
	w.cli(t, "invocation", "wait", doc.Invocations[0].CallID).want(t, 0, "state\tdone\n")
	s.gateway.tell(always(answer{Status: 500, Body: "no"}))
	w.cli(t, "send", "fn1", "-d", "x", "--wait").want(t, 1, "dead, status 500", "1 retries", "the invocation is dead", "no")
	w.cli(t, "invocation", "get", "nonsense").want(t, 1, "no invocation has this id")
}

func TestCLI_AWaitThatIsTooShort(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s, w := served(t, answer{Until: release})
	got := w.cli(t, "send", "fn1", "-d", "x", "--wait", "--timeout", "300ms").want(t, 1, "not finished yet", "queue-worker invocation get ")
	s.called(1)
	id := strings.Fields(got.stderr[strings.Index(got.stderr, "invocation get ")+len("invocation get "):])[0]
	w.cli(t, "invocation", "wait", id, "--timeout", "100ms").want(t, 1, "not finished yet")
	w.cli(t, "invocation", "ls", "--state", "running").want(t, 0, id, "\trunning\t")
	p := w.person(t, "invocation", "wait", id)
	close(release)
	p.want(0, "done")
}

func TestCLI_Cancel(t *testing.T) {
	t.Parallel()
	s, w := served(t, answer{Until: t.Context().Done()})
	waiting := w.cli(t, "send", "fn1", "-d", "x", "--delay", "1h").want(t, 0).lines()[0]
	running := w.cli(t, "send", "fn1", "-d", "x").want(t, 0).lines()[0]
	s.called(1)
	callID, _, _ := strings.Cut(waiting, "\t")
	_, id, _ := strings.Cut(running, "\t")
	w.cli(t, "invocation", "cancel", callID, id).want(t, 0, "cancelled "+id)
	w.cli(t, "invocation", "wait", id).want(t, 1, "the invocation is cancelled")
	if left := w.cli(t, "invocation", "ls").want(t, 0, "nothing is pending"); left.stdout != "" {
		t.Errorf("there is %q", left.stdout)
	}
	w.cli(t, "invocation", "cancel", "nonsense").want(t, 1, "no invocation has this id")
}

func TestCLI_Functions(t *testing.T) {
	t.Parallel()
	s, w := served(t, status(200))
	w.cli(t, "function", "pause", "fn1", "--reason", "database is down", "--author", "me", "--for", "1d").want(t, 0, "by me: database is down, ends ")
	for range 3 {
		w.cli(t, "send", "fn1", "-d", "x").want(t, 0)
	}
	w.cli(t, "send", "fn1", "-d", "x", "--delay", "1h").want(t, 0)
	code, body := w.ask(t, http.MethodGet, "/v1/functions/fn1")
	got := w.cli(t, "function", "ls", "fn1").want(t, 0)
	if columns := strings.Split(got.lines()[0], "\t"); len(columns) != 12 || !slices.Equal(columns[:6], []string{"fn1.openfaas-fn", defaultQueue, "3", "0", "1", "0"}) {
		t.Errorf("the line is %q; the API answers %d %s", columns, code, body)
	}
	w.cli(t, "function", "ls", "-o", "json").want(t, 0, `"paused":{`)
	w.cli(t, "function", "pause", "fn1", "--for", "soon").want(t, 2, "for is not a duration")
	w.cli(t, "function", "purge", "fn1", "--state", "delayed", "--yes").want(t, 0, "purge: 1, ", "purge done: 1 of 1 done")
	w.cli(t, "function", "purge", "fn1", "--state", "none", "--yes").want(t, 2, "state")
	w.cli(t, "function", "resume", "fn1").want(t, 0, "fn1.openfaas-fn\t")
	s.called(3)
	w.idle(t)
	screen := w.person(t, "function", "ls").want(0, "FUNCTION", "fn1.openfaas-fn")
	if strings.Contains(screen, "paused") && strings.Contains(screen, "by me") {
		t.Errorf("it is paused still: %q", screen)
	}
}

func TestCLI_Policy(t *testing.T) {
	t.Parallel()
	_, w := served(t, status(200), "max_retry_attempts=3", "initial_retry_wait=2s")
	code, body := w.ask(t, http.MethodGet, "/v1/functions/fn1/policy")
	if got := w.cli(t, "policy", "show", "fn1", "-o", "json").want(t, 0); code != http.StatusOK || got.stdout != body {
		t.Errorf("it writes %s, the API answers %d %s", got.stdout, code, body)
	}
	w.cli(t, "policy", "show", "fn1").want(t, 0, "max_retry_attempts\t3 (", "waits\t2s 4s 8s\n", "all waits\t14s\n")
}
