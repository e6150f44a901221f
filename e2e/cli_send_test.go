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
		switch {
		case len(ids) != 2:
			t.Errorf("%s: the ids are %q, the call is %s %s with %d bytes, want 2", tt.name, ids, call.callID(), call.URI, len(call.Body))
		case call.callID() != ids[0]:
			t.Errorf("%s: the ids are %q, the call is %s %s with %d bytes, want callID %v", tt.name, ids, call.callID(), call.URI, len(call.Body), ids[0])
		case string(call.Body) != tt.body:
			t.Errorf("%s: the ids are %q, the call is %s %s with %d bytes, want body %v", tt.name, ids, call.callID(), call.URI, len(call.Body), tt.body)
		case call.URI != tt.uri:
			t.Errorf("%s: the ids are %q, the call is %s %s with %d bytes, want URI %v", tt.name, ids, call.callID(), call.URI, len(call.Body), tt.uri)
		}
	}
	w.cli(t, "send", "fn1", "-d", "@"+file+".none").want(t, 1, "no such file")
}

func TestCLI_SendSaysWhenAndHow(t *testing.T) {
	t.Parallel()
	s, w := served(t, status(200))
	w.cli(t, "send", "fn1", "-d", "x", "-H", "X-Order: 7", "-H", "X-Order: 8", "--idempotency-key", "order-7", "-o", "json").want(t, 0, `"call_id":"`)
	call := s.called(1)[0]
	switch {
	case !slices.Equal(call.Header["X-Order"], []string{"7", "8"}):
		t.Errorf("the header is %v, want %v", call.Header, []string{"7", "8"})
	case call.Header.Get("Idempotency-Key") != "order-7":
		t.Errorf(`the header is %v, want Idempotency-Key "order-7"`, call.Header)
	}
	first := w.cli(t, "send", "fn1", "-d", "x", "--idempotency-key", "order-7").want(t, 0).stdout
	if !strings.HasPrefix(first, call.callID()+"\t") {
		t.Errorf("the same again is %q, not %s, want %q at its beginning", first, call.callID(), call.callID()+"\t")
	}
	w.cli(t, "send", "fn1", "-d", "y", "--idempotency-key", "order-7").want(t, 1, "key")
	w.cli(t, "send", "fn1", "-d", "later", "--delay", "1h").want(t, 0)
	w.cli(t, "send", "fn1", "-d", "later", "--not-before", "2026-01-31T12:00:00Z", "--delay", "1h").want(t, 2, "two ways")
	w.cli(t, "send", "fn1", "-d", "late", "--max-age", "1s", "--delay", "1h").want(t, 2, "--max-age ends before the first call")
	w.cli(t, "send", "a b", "-d", "x").want(t, 2)
	waiting := w.cli(t, "invocation", "ls").want(t, 0).lines()
	switch {
	case len(waiting) != 1:
		t.Errorf("what is pending: %q, want 1 waiting", waiting)
	case !strings.Contains(waiting[0], "\tdelayed\t"):
		t.Errorf(`what is pending: %q, want "\tdelayed\t" in waiting[0]`, waiting)
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
		t.Errorf("%g were accepted, want 0", c.accepted)
	}
}

func TestCLI_SendAndWaitSaysHowItEnded(t *testing.T) {
	t.Parallel()
	s, w := served(t, answer{Body: "the answer \x1b[2J", Header: http.Header{"Content-Type": {"text/plain"}}}, "result_ttl=10m", "max_retry_attempts=1", "initial_retry_wait=100ms")
	if got := w.cli(t, "send", "fn1", "-d", "x", "--wait", "--timeout", "1m").want(t, 0, "done, status 200"); got.stdout != "the answer \x1b[2J" {
		t.Errorf(`the result is %q, want "the answer \x1b[2J"`, got.stdout)
	}
	if screen := w.person(t, "send", "fn1", "-d", "x", "--wait").want(0, `the answer \x1b[2J`); strings.Contains(screen, "\x1b[2J") {
		t.Errorf(`the screen is %q, want no "\x1b[2J" in it`, screen)
	}
	got := w.cli(t, "send", "fn1", "-d", "x", "--wait", "-o", "json").want(t, 0)
	var doc struct {
		Invocations []struct {
			ID, State string
			CallID    string `json:"call_id"`
			Result    bool
		}
	}
	switch err := json.Unmarshal([]byte(got.stdout), &doc); {
	case err != nil:
		t.Fatalf("the document is %s, %v, want no error", got.stdout, err)
	case len(doc.Invocations) != 1:
		t.Fatalf("the document is %s, %v: got %v, want 1 invocation", got.stdout, err, len(doc.Invocations))
	case doc.Invocations[0].State != "done":
		t.Fatalf(`the document is %s, %v: got state %v, want "done"`, got.stdout, err, doc.Invocations[0].State)
	}
	id := doc.Invocations[0].ID
	if got := w.cli(t, "invocation", "get", id, "--result").want(t, 0); got.stdout != "the answer \x1b[2J" {
		t.Errorf(`the result is %q, want "the answer \x1b[2J"`, got.stdout)
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
		t.Errorf("there is %q, want empty", left.stdout)
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
	switch columns := strings.Split(got.lines()[0], "\t"); {
	case len(columns) != 12:
		t.Errorf("the line is %q; the API answers %d %s, want 12 columns", columns, code, body)
	case !slices.Equal(columns[:6], []string{"fn1.openfaas-fn", defaultQueue, "3", "0", "1", "0"}):
		t.Errorf("the line is %q; the API answers %d %s, want %v", columns, code, body, []string{"fn1.openfaas-fn", defaultQueue, "3", "0", "1", "0"})
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
	switch got := w.cli(t, "policy", "show", "fn1", "-o", "json").want(t, 0); {
	case code != http.StatusOK:
		t.Errorf("it writes %s, the API answers %d %s, want code %d", got.stdout, code, body, http.StatusOK)
	case got.stdout != body:
		t.Errorf("it writes %s, the API answers %d %s, want stdout %v", got.stdout, code, body, body)
	}
	w.cli(t, "policy", "show", "fn1").want(t, 0, "max_retry_attempts\t3 (", "waits\t2s 4s 8s\n", "all waits\t14s\n")
}
