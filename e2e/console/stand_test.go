package console

// The program with its surroundings: queue-worker dev and functions that the test answers for.

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait. Nothing waits as long on a machine that is not overloaded.
const patience = 4 * time.Minute

// stand is a running queue-worker dev.
type stand struct {
	base      string // of the worker
	functions *functions
	server    *httptest.Server
	process   *exec.Cmd
	ended     chan error
	dir       string
	args      []string
	settings  []string
}

// functions answer for the functions of a stand.
type functions struct {
	mu      sync.Mutex
	status  map[string]int
	release chan struct{} // closed when the slow function may answer
}

// set lets a function answer with a status.
func (f *functions) set(name string, status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status[name] = status
}

func (f *functions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.Trim(r.URL.Path, "/")
	name, _, _ = strings.Cut(name, "/")
	if name == "slow" {
		select {
		case <-f.release:
		case <-r.Context().Done():
		}
	}
	f.mu.Lock()
	status := f.status[name]
	f.mu.Unlock()
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<b>%s</b> answers %d\n", name, status)
}

// hostile is a text that a caller sends.
const hostile = `<script>alert(1)</script>"><img src=x onerror=alert(1)>`

// newStand starts a stand with a folder of its own.
func newStand(t testing.TB, settings ...string) *stand {
	t.Helper()
	s, err := startStand(t.TempDir(), settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

func startStand(dir string, settings ...string) (*stand, error) {
	s := &stand{functions: &functions{status: map[string]int{}, release: make(chan struct{})}, dir: dir, settings: settings}
	s.server = httptest.NewServer(s.functions)
	http, err := freePort()
	if err != nil {
		return nil, err
	}
	s.base = "http://" + http
	s.args = []string{"dev", "--gateway-listen", "127.0.0.1:0", "--stan-listen", "127.0.0.1:0", "--http-listen", http, "--data", dir}
	for _, name := range []string{"mail-send", "slow", "geocode", "invoice-pdf"} {
		s.args = append(s.args, "--function", name+"="+s.server.URL+"/"+name)
	}
	return s, s.start()
}

// start starts the program and waits until it is ready.
func (s *stand) start() error {
	cmd := exec.Command(binary, s.args...)
	cmd.Env = append([]string{"initial_retry_wait=200ms", "max_retry_wait=1s", "max_retry_attempts=3", "backoff=exponential", "log_encoding=console"}, s.settings...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	s.process, s.ended = cmd, make(chan error, 1)
	ready := make(chan string, 1)
	go func() {
		var log strings.Builder
		for lines := bufio.NewScanner(out); lines.Scan(); {
			_, _ = log.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), "console url=") {
				ready <- ""
			}
		}
		s.ended <- cmd.Wait()
		select {
		case ready <- log.String():
		default:
		}
	}()
	select {
	case problem := <-ready:
		if problem != "" {
			return fmt.Errorf("the program ended:\n%s", problem)
		}
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		return fmt.Errorf("the program is not ready after %v", patience)
	}
	return nil
}

// close ends everything.
func (s *stand) close() {
	select {
	case <-s.functions.release:
	default:
		close(s.functions.release)
	}
	_ = s.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(patience):
		_ = s.process.Process.Kill()
	}
	s.server.CloseClientConnections()
	s.server.Close()
}

// send submits an invocation and returns its id.
func (s *stand) send(t testing.TB, function, body string, header ...string) string {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/async-function/"+function, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		q.Header.Set(name, value)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusAccepted {
		b, _ := io.ReadAll(a.Body)
		t.Fatalf("%s: got %d %s, want 202", function, a.StatusCode, b)
	}
	return a.Header.Get("X-Invocation-Id")
}

// await waits for the end of an invocation.
func (s *stand) await(t testing.TB, id string) {
	t.Helper()
	s.get(t, "/v1/invocations/"+id+"?wait=4m")
}

// planned plans a replay of all dead letters and returns the id of the job.
func (s *stand) planned(t testing.TB) string {
	t.Helper()
	a, err := http.Post(s.base+"/v1/dead_set/plan", "application/json", strings.NewReader(`{"act":"replay","all":true,"canary":true}`))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	var job struct{ ID string }
	if err := json.NewDecoder(a.Body).Decode(&job); err != nil || job.ID == "" {
		t.Fatalf("got %d, %v, want a plan", a.StatusCode, err)
	}
	return job.ID
}

// get reads a document of the API.
func (s *stand) get(t testing.TB, path string) string {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	if a.StatusCode != http.StatusOK {
		t.Fatalf("%s: got %d %s, want 200", path, a.StatusCode, b)
	}
	return string(b)
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
