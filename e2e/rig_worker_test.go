package e2e

// The program under test as a process.

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"testing"

	"queue-worker/internal/testkit"
)

// worker is a running queue-worker.
type worker struct {
	*process
	base string // of its HTTP surface
}

// launch starts the program with an environment and arguments, and waits for
// nothing.
func launch(t testing.TB, binary func() (string, error), env []string, args ...string) *process {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = environment(env...)
	cmd.Dir = t.TempDir() // nothing may be written beside data_dir
	return spawn(t, "queue-worker", cmd)
}

// startWorker starts a worker and waits until it listens.
func startWorker(t testing.TB, binary func() (string, error), env []string, args ...string) *worker {
	t.Helper()
	w := &worker{process: launch(t, binary, append([]string{"log_encoding=json", "http_listen_address=127.0.0.1:0"}, env...), args...)}
	l := w.event(t, "its address", func(l entry) bool { return l.message() == "listening" })
	w.base = "http://" + l.text("address")
	return w
}

// entry is a line of the worker's log.
type entry map[string]any

func (e entry) text(key string) string { s, _ := e[key].(string); return s }
func (e entry) message() string        { return e.text("msg") }

// parse reads a line; one that is not JSON is an empty entry.
func parse(line string) entry {
	e := entry{}
	if json.Unmarshal([]byte(line), &e) != nil {
		return entry{}
	}
	return e
}

// event waits for a line of the log and returns it.
func (w *worker) event(t testing.TB, what string, wanted func(entry) bool) entry {
	t.Helper()
	return parse(w.line(t, what, func(l string) bool { return wanted(parse(l)) }))
}

// next waits until an invocation has come to something: "done", "retry", "dead",
// "discarded". The line is written after it was stored.
func (w *worker) next(t testing.TB, m *message, what string) entry {
	t.Helper()
	return w.event(t, "call "+id(m)+" to be "+what, func(e entry) bool {
		about := e.message() == "invoked" || e.message() == "not called" // it may expire before its first call
		return about && e.text("call_id") == id(m) && e.text("next") == what
	})
}

// attempts are the lines about attempts so far.
func (w *worker) attempts() []entry {
	var all []entry
	lines, _ := w.out.since(0)
	for _, l := range lines {
		if e := parse(l); e.message() == "invoked" || e.message() == "callback" {
			all = append(all, e)
		}
	}
	return all
}

// client follows no redirects and keeps no connection, so that a worker that was
// killed and one that took its port are never mixed up.
var client = &http.Client{
	Timeout:       patience,
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ask makes a request of the worker and returns status and body. Edits change the
// request before it is sent.
func (w *worker) ask(t testing.TB, method, path string, edits ...func(*http.Request)) (int, string) {
	t.Helper()
	return ask(t, method, w.base+path, edits...)
}

func ask(t testing.TB, method, url string, edits ...func(*http.Request)) (int, string) {
	t.Helper()
	code, body, err := try(method, url, edits...)
	if err != nil {
		t.Fatalf("%s %s: %v, want no error", method, url, err)
	}
	return code, body
}

func try(method, url string, edits ...func(*http.Request)) (int, string, error) {
	req, err := http.NewRequest(method, url, nil) // the client has a timeout
	if err != nil {
		return 0, "", err
	}
	for _, edit := range edits {
		edit(req)
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, string(body), err
}

// ready waits until the worker says that it is.
func (w *worker) ready(t testing.TB) *worker {
	t.Helper()
	testkit.Eventually(t, "the worker to be ready", func() bool {
		code, _, err := try(http.MethodGet, w.base+"/readyz")
		return err == nil && code == http.StatusOK
	})
	return w
}
