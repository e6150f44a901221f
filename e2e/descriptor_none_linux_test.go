package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"queue-worker/internal/testkit"
)

// withoutDescriptors lowers the limit of a running worker so far that it can open nothing more, and
// returns what raises it again.
func (w *worker) withoutDescriptors(t testing.TB) (raise func()) {
	t.Helper()
	pid := w.cmd.Process.Pid
	free := uint64(0)
	for ; ; free++ {
		if _, err := os.Lstat(fmt.Sprintf("/proc/%d/fd/%d", pid, free)); err != nil {
			break
		}
	}
	var old unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: free, Max: old.Max}, nil); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &old, nil); err != nil {
			t.Error(err)
		}
	}
}

// connected is a client with one connection, opened at once.
func (w *worker) connected(t testing.TB) *http.Client {
	t.Helper()
	c := &http.Client{Timeout: 2 * patience, Transport: &http.Transport{MaxConnsPerHost: 1}}
	t.Cleanup(c.CloseIdleConnections)
	over(t, c, http.MethodGet, w.base+"/ping", "")
	return c
}

// over makes a request with a client and returns status and body.
func over(t testing.TB, c *http.Client, method, url, body string) (int, string) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	res, err := c.Do(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return res.StatusCode, string(b)
}

// logged counts the lines of the log with a message.
func (w *worker) logged(message string) (n int) {
	lines, _ := w.out.since(0)
	for _, l := range lines {
		if parse(l).message() == message {
			n++
		}
	}
	return n
}

// calledOnce checks that n calls came, each once and at its first attempt.
func (s *stand) calledOnce(t testing.TB, w *worker, n int) {
	t.Helper()
	s.gateway.awaitDone(t, n)
	testkit.Eventually(t, "all to be done", func() bool { return w.counts(t).pending() == 0 })
	seen := map[string]int{}
	for _, a := range s.gateway.calls() {
		switch seen[a.callID()]++; {
		case seen[a.callID()] > 1:
			t.Errorf("%s was called again, want seen[a.callID()] at most 1", a.callID())
		case a.retry() > 0:
			t.Errorf("%s was called again, want retry at most 0", a.callID())
		}
	}
	if len(seen) != n {
		t.Errorf("%d were called, want %d", len(seen), n)
	}
	if failed := w.metrics(t).sum("queue_worker_attempts_unanswered_total"); failed != 0 {
		t.Errorf("%v attempts got no answer, want 0", failed)
	}
}

const (
	logExhausted = "no free file descriptor, waiting"
	logFree      = "file descriptors are free again"
)

func TestCallsWaitForAFreeDescriptor(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	c := w.connected(t)
	raise := w.withoutDescriptors(t)
	defer raise()
	const n = 3 // each takes as long as the question to the gateway may wait
	for i := range n {
		if code, body := over(t, c, http.MethodPost, fmt.Sprintf("%s/async-function/fn%d", w.base, i), "hi"); code != http.StatusAccepted {
			t.Fatalf("answered %d %s, want %d", code, body, http.StatusAccepted)
		}
	}
	l := w.event(t, "the warning", func(l entry) bool { return l.message() == logExhausted })
	switch {
	case l.text("level") != "WARN":
		t.Errorf(`the warning is %v, want level "WARN"`, l)
	case l["limit"] == nil:
		t.Errorf(`the warning is %v, want l["limit"] set`, l)
	case l.text("hint") == "":
		t.Errorf(`the warning is %v, want hint not empty`, l)
	}
	if calls := s.gateway.all(); len(calls) > 0 {
		t.Errorf("%d calls came without a descriptor, want no calls", len(calls))
	}
	raise()
	s.calledOnce(t, w, n)
	w.event(t, "its end", func(l entry) bool { return l.message() == logFree })
	if warned := w.logged(logExhausted); warned != 1 {
		t.Errorf("%d warnings, want 1", warned)
	}
	if opened := w.logged("function unreachable, breaker opened") + w.logged("function unreachable, breaker opened"); opened > 0 {
		t.Errorf("%d breakers opened, want at most 0", opened)
	}
	w.ready(t)
}

// TestTheStoreWaitsForAFreeDescriptor fills its log until it has to open the next one.
func TestTheStoreWaitsForAFreeDescriptor(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	const senders, each = 4, 10
	var clients []*http.Client
	for range senders + 1 {
		clients = append(clients, w.connected(t))
	}
	raise := w.withoutDescriptors(t)
	defer raise()
	body := strings.Repeat("x", 512<<10)
	var all sync.WaitGroup
	for i, c := range clients[:senders] {
		all.Go(func() {
			for n := 0; n < each; {
				code, text := over(t, c, http.MethodPost, fmt.Sprintf("%s/async-function/fn%d", w.base, i), body)
				switch code {
				case http.StatusAccepted:
					n++
				case http.StatusServiceUnavailable: // as on a full disk
					time.Sleep(100 * time.Millisecond)
				default:
					t.Errorf("answered %d %s", code, text)
					return
				}
			}
		})
	}
	probe := clients[senders]
	testkit.Eventually(t, "the store to wait", func() bool {
		code, text := over(t, probe, http.MethodGet, w.base+"/readyz", "")
		return code == http.StatusServiceUnavailable && strings.Contains(text, "no free file descriptor")
	})
	if code, text := over(t, probe, http.MethodGet, w.base+"/healthz", ""); code != http.StatusOK {
		t.Errorf("/healthz is %d %s, want %d", code, text, http.StatusOK)
	}
	raise()
	all.Wait()
	s.calledOnce(t, w, senders*each)
	w.event(t, "the end", func(l entry) bool { return l.message() == logFree })
	w.ready(t)
}

// TestAFloodOfConnectionsToBothPortsKeepsNobodyOut has a worker of 400 open files and far more connections.
func TestAFloodOfConnectionsToBothPortsKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	s := newEmbedded(t)
	stan := fmt.Sprintf("127.0.0.1:%d", s.broker.port)
	w := s.launch(confinedBinary(t, 400)).ready(t)
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	const n = 20
	for i := range n {
		for range 30 {
			for _, address := range []string{strings.TrimPrefix(w.base, "http://"), stan} {
				c, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				conns = append(conns, c)
			}
		}
		w.submit(t, fmt.Sprintf("/async-function/over-http%d", i), "hi")
		s.broker.publish(t, call(fmt.Sprintf("over-nats%d", i), "hi"))
	}
	if code, text := w.ask(t, http.MethodGet, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz is %d %s, want %d", code, text, http.StatusOK)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	s.calledOnce(t, w, 2*n)
	w.ready(t)
}
