package e2e

// Moving a store: a worker, a copy that is killed, a worker on the copy, and back.

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// copyStore runs `store copy` to its end, after it was killed at different points.
func copyStore(t testing.TB, from, to string) said {
	t.Helper()
	for _, after := range []time.Duration{30 * time.Millisecond, 60 * time.Millisecond, 90 * time.Millisecond, 150 * time.Millisecond, 250 * time.Millisecond} {
		cmd := prepare(t, nil, "store", "copy", "--from", from, "--to", to)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // how it ended does not matter
		kill.Stop()
	}
	return command(t, "", nil, "store", "copy", "--from", from, "--to", to).want(t, 0, "everything was copied")
}

// move ends a worker, copies its store and starts a worker on the copy.
func (s *stand) move(w *worker, from, to string, settings ...string) *worker {
	s.t.Helper()
	w.signal(s.t, syscall.SIGTERM)
	if code := w.exit(s.t); code != 0 {
		s.t.Fatalf("the worker ended with %d, want 0", code)
	}
	copyStore(s.t, from, to)
	s.env = append(s.env, settings...)
	return s.worker()
}

func TestAStoreMovesToPostgresAndBack(t *testing.T) {
	t.Parallel()
	dir, back := t.TempDir(), filepath.Join(t.TempDir(), "back")
	server, _ := newServer(t)
	url := filepath.Join(t.TempDir(), "url") // as a Secret is mounted
	if err := os.WriteFile(url, []byte(server.URL("queue")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newStand(t, "data_dir="+dir, "initial_retry_wait=1h", "max_retry_wait=2h", "result_ttl=1h", "idempotency_window=1h")
	w := s.worker()
	first := w.submit(t, "/async-function/fn1", "body", "Idempotency-Key", "key-1")
	w.next(t, first, "done")
	s.gateway.tell(always(status(503)))
	var all []*message
	for range 30 {
		m := w.submit(t, "/async-function/fn2", strings.Repeat("x", 20_000))
		w.next(t, m, "retry")
		all = append(all, m)
	}
	s.gateway.tell(always(status(400)))
	dead := w.submit(t, "/async-function/fn3", "body")
	w.next(t, dead, "dead")
	s.gateway.tell(always(answer{}))

	w = s.move(w, dir, url, "data_dir=", "store_url_file="+url)
	if got := w.deadSet(t).only(t); got.CallID != id(dead) {
		t.Errorf("dead letter after the move: got %s, want %s", got.CallID, id(dead))
	}
	if got := w.send(t, "/async-function/fn1", "body", "Idempotency-Key", "key-1"); got.Header.Get("X-Call-Id") != id(first) {
		t.Errorf("the same key after the move: got call id %s, want that of the first, %s", got.Header.Get("X-Call-Id"), id(first))
	}
	w = s.move(w, url, back, "data_dir="+back, "store_url_file=")
	if code := w.deadSet(t).only(t).replay(t, w); code != http.StatusOK {
		t.Errorf("replay after the way back: got %d, want %d", code, http.StatusOK)
	}
	w.next(t, dead, "done")
	for _, m := range all {
		if code, body := w.ask(t, http.MethodGet, "/v1/invocations/"+id(m)); code != http.StatusOK || !strings.Contains(body, `"delayed"`) {
			t.Errorf("%s after the way back: got %d %s, want it delayed", id(m), code, body)
		}
	}
	refused := command(t, "", []string{"data_dir=" + dir, "http_listen_address=127.0.0.1:0"})
	refused.want(t, 1, "moved to another one")
}
