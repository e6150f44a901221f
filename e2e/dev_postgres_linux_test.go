package e2e

// queue-worker dev --postgres: three workers, of which one is killed.

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// freePorts are so many free ports in a row. Each is handed out, so no other test gets one of them.
func freePorts(t *testing.T, n int) (first int) {
	t.Helper()
	for range 100 {
		first = freePort(t)
		next := first + 1
		for next < first+n && freePort(t) == next {
			next++
		}
		if next == first+n {
			return first
		}
	}
	t.Fatalf("free ports in a row: got none, want %d", n)
	return 0
}

// children are the processes whose parent a process is.
func children(pid int) (all []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		text := string(b)
		var state string
		var parent, child int
		_, _ = fmt.Sscan(text, &child)
		if _, err := fmt.Sscan(text[strings.LastIndexByte(text, ')')+1:], &state, &parent); err == nil && parent == pid {
			all = append(all, child)
		}
	}
	return all
}

// openFolder is a folder that the user of PostgreSQL can enter, where the test is root.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dev-") //nolint:usetesting // only this user can enter the folders of the test
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestDevWithPostgresHandsOverFromAWorkerThatIsKilled(t *testing.T) {
	t.Parallel()
	d := newDevStand(t, "--postgres")
	d.http = net.JoinHostPort("127.0.0.1", strconv.Itoa(freePorts(t, 3)))
	d.data, d.env = openFolder(t), []string{"initial_retry_wait=1s"}
	w := &worker{}
	w.process = launch(t, plainBinary, append([]string{"log_encoding=json"}, d.env...), append([]string{
		"dev", "--gateway-listen", d.gateway, "--stan-listen", d.stan, "--http-listen", d.http, "--data", d.data,
	}, d.args...)...)
	var pids []int
	for range 3 {
		e := w.event(t, "a worker to be started", func(e entry) bool {
			return e.message() == "worker started" && !strings.Contains(fmt.Sprint(pids), fmt.Sprint(int(e["pid"].(float64))))
		})
		pids = append(pids, int(e["pid"].(float64)))
	}
	server := w.event(t, "PostgreSQL to be started", func(e entry) bool { return e.message() == "private PostgreSQL started" })
	pids = append(pids, int(server["pid"].(float64)))
	ready := w.event(t, "a worker to be ready", func(e entry) bool { return e.message() == "ready" })
	w.base = ready.text("worker")

	d.set(`{"status":503}`)
	m := d.async("hello")
	w.next(t, m, "retry")
	d.set(`{"status":200}`)
	victim, err := strconv.Atoi(strings.TrimPrefix(w.event(t, "what to try", func(e entry) bool { return strings.HasPrefix(e.text("try"), "kill -9 ") }).text("try"), "kill -9 "))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.event(t, "the end of the worker to be reported", func(e entry) bool {
		pid, _ := e["pid"].(float64) // a worker that ends with an error says so too, without a pid
		return e.message() == "worker ended" && int(pid) == victim
	})
	w.next(t, m, "done")
	again := d.async("after the kill")
	w.next(t, again, "done")

	before := children(w.cmd.Process.Pid)
	w.signal(t, syscall.SIGINT)
	if code := w.exit(t); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
	for _, pid := range append(before, pids...) {
		if err := syscall.Kill(pid, 0); err == nil {
			t.Errorf("process %d: got it alive, want it gone with dev", pid)
		}
	}
	if code, _, err := try(http.MethodGet, w.base+"/healthz"); err == nil {
		t.Errorf("worker after dev: got %d, want no answer", code)
	}
}

func TestDevSaysHowToGetAPostgres(t *testing.T) {
	t.Parallel()
	for place, want := range map[string]string{
		"postgres://qw:secret@127.0.0.1/queue": "expected no password in the URL",
		"/no/such/file":                        "expected a URL such as postgres://",
	} {
		command(t, "", nil, "dev", "--postgres="+place).want(t, 2, want)
	}
}

var killHint = regexp.MustCompile(`try="kill -9 (\d+)"`)

// TestThePageOnScalingRunsAsPrinted: the pid on the page is that of the log.
func TestThePageOnScalingRunsAsPrinted(t *testing.T) {
	t.Parallel()
	r, d := newReader(t, nil), newDevStand(t)
	d.http = net.JoinHostPort("127.0.0.1", strconv.Itoa(freePorts(t, 3)))
	r.dev = "--gateway-listen " + d.gateway + " --stan-listen " + d.stan + " --http-listen " + d.http + " --data " + openFolder(t)
	r.addresses = strings.NewReplacer("localhost:8080", d.gateway)
	for _, b := range blocksOf(t, filepath.Join("..", "docs", "scaling.md")) {
		switch b.kind {
		case "sh":
			r.run(b.text)
		case "text":
			if r.worker != nil {
				line := r.worker.line(t, "the worker to kill", killHint.MatchString)
				r.addresses = strings.NewReplacer("localhost:8080", d.gateway, "4711", killHint.FindStringSubmatch(line)[1])
			}
			r.expect(b.text)
		}
	}
	r.stop()
}
