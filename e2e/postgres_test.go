package e2e

// The store on PostgreSQL: one worker, a real server.

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"queue-worker/internal/pgtest"
	"queue-worker/internal/testkit"
)

// newServer starts a PostgreSQL with an empty database, and returns settings that use it.
func newServer(t *testing.T) (*pgtest.Server, []string) {
	t.Helper()
	server, err := pgtest.Start("fsync=off") // processes are killed, and the machine is not
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	if err := server.Query("postgres", "CREATE DATABASE queue"); err != nil {
		t.Fatal(err)
	}
	return server, []string{"data_dir=", "store_url=" + server.URL("queue")}
}

func TestPostgresCallsRetriesBuriesAndReplays(t *testing.T) {
	t.Parallel()
	_, settings := newServer(t)
	s := newStand(t, append(settings, "initial_retry_wait=50ms", "max_retry_wait=100ms", "max_retry_attempts=3")...)
	s.gateway.tell(failing(2))
	w := s.worker()
	m := call("fn1", "the body")
	s.broker.publish(t, m)
	w.next(t, m, "done")
	checkRetries(t, s, m, []int{0, 1, 2})
	submitted := w.submit(t, "/async-function/fn2", "body")
	w.next(t, submitted, "done")

	s.gateway.tell(always(status(500)))
	dead := w.submit(t, "/async-function/fn3", "body")
	w.next(t, dead, "dead")
	letter := w.deadSet(t).only(t)
	s.gateway.tell(always(answer{}))
	if code := letter.replay(t, w); code != http.StatusOK {
		t.Errorf("replay: got %d, want %d", code, http.StatusOK)
	}
	w.next(t, dead, "done")
	w.idle(t)
	if got := w.deadSet(t); len(got) != 0 {
		t.Errorf("dead set after the replay: got %v, want none", got)
	}
}

// waiter starts a worker that waits for its store: it does not log its address yet.
func (s *stand) waiter() *worker {
	s.t.Helper()
	address := "127.0.0.1:" + strconv.Itoa(freePort(s.t))
	w := &worker{process: launch(s.t, plainBinary, append(s.env, "log_encoding=json", "http_listen_address="+address)), base: "http://" + address}
	testkit.Eventually(s.t, "an answer of the worker", func() bool {
		_, _, err := try(http.MethodGet, w.base+"/healthz")
		return err == nil
	})
	s.t.Cleanup(func() { checkAccount(s.t, w) })
	return w
}

// passwordFile writes the URL with a password into a file, as a Secret is mounted.
func passwordFile(t *testing.T, url string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "url")
	url = strings.Replace(url, "postgres@", "postgres:secret@", 1)
	if err := os.WriteFile(file, []byte(url+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPostgresIsWaitedForAndNothingIsAcceptedMeanwhile(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t)
	server.Kill()
	s := newStand(t, "data_dir=", "store_url_file="+passwordFile(t, server.URL("queue")))
	w := s.waiter()
	unready := func(want string) {
		t.Helper()
		testkit.Eventually(t, "/readyz to say "+want, func() bool {
			code, body, err := try(http.MethodGet, w.base+"/readyz")
			return err == nil && code == http.StatusServiceUnavailable && strings.Contains(body, want)
		})
		if code, body := w.ask(t, http.MethodGet, "/healthz"); code != http.StatusOK {
			t.Errorf("/healthz: got %d %s, want %d", code, body, http.StatusOK)
		}
		if got, err := w.trySend("/async-function/fn1", "body"); err != nil || got.Status != http.StatusServiceUnavailable {
			t.Errorf("POST /async-function: got %+v, %v, want %d", got, err, http.StatusServiceUnavailable)
		}
		if code, body := w.ask(t, http.MethodGet, "/v1/dead_set"); code != http.StatusServiceUnavailable {
			t.Errorf("GET /v1/dead_set: got %d %s, want %d", code, body, http.StatusServiceUnavailable)
		}
	}
	unready("PostgreSQL unreachable since 20")
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	w.ready(t)
	w.next(t, w.submit(t, "/async-function/fn1", "body"), "done")

	server.Kill()
	unready("PostgreSQL unreachable since 20")
	m := call("fn1", "published while the server is away")
	s.broker.publish(t, m)
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	w.ready(t)
	w.next(t, m, "done")
	w.idle(t)
	if strings.Contains(w.out.tail(1000), "secret") {
		t.Error("the log has the password, want it nowhere")
	}
}

func TestPostgresLosesNothingWhenWorkerAndServerAreKilled(t *testing.T) {
	t.Parallel()
	const n, slots = 150, 10
	server, settings := newServer(t)
	s := newStand(t, append(settings, "initial_retry_wait=50ms", "max_retry_wait=100ms", fmt.Sprintf("max_inflight=%d", slots), "ack_wait=1s")...)
	s.gateway.tell(func(a asked) answer {
		say := failing(1)(a)
		say.Delay = 20 * time.Millisecond
		return say
	})
	w := s.worker()
	var all []*message
	for i := range n {
		all = append(all, call(fmt.Sprintf("fn%d", i%5), "body"))
	}
	s.broker.publish(t, all...)
	s.gateway.awaitDone(t, n/4)
	w.kill()
	w = s.worker()
	s.gateway.awaitDone(t, n)
	server.Kill()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	s.gateway.awaitDone(t, n*3/2)
	w.kill()
	w = s.worker()
	testkit.Eventually(t, "every message to be answered 200", func() bool { return len(answered(s.gateway.all())) == n })
	w.idle(t)
	if got := w.deadSet(t); len(got) != 0 {
		t.Errorf("dead letters: got %d, want none", len(got))
	}
	// Three kills, and at each at most slots calls whose outcome was not stored.
	if got, most := len(s.gateway.all()), 2*n+3*slots; got > most {
		t.Errorf("calls: got %d, want at most %d", got, most)
	}
}

// answered are the call ids that a function has answered with success.
func answered(all []asked) map[string]bool {
	ids := map[string]bool{}
	for _, a := range all {
		if a.Status == http.StatusOK && !a.Broken {
			ids[a.callID()] = true
		}
	}
	return ids
}

func TestPostgresOneWorkerTakesOverFromAnother(t *testing.T) {
	t.Parallel()
	_, settings := newServer(t)
	s := newStand(t, append(settings, "max_inflight=4")...)
	s.gateway.tell(always(answer{Delay: time.Hour}))
	first := s.worker()
	m := first.submit(t, "/async-function/fn1", "body")
	s.gateway.await(t, 1)
	second := s.waiter()
	testkit.Eventually(t, "/readyz of the second worker to name the first", func() bool {
		_, body, err := try(http.MethodGet, second.base+"/readyz")
		return err == nil && strings.Contains(body, "in use by another worker")
	})
	s.gateway.tell(always(answer{}))
	first.kill()
	second.ready(t)
	second.next(t, m, "done")
	second.idle(t)
}
