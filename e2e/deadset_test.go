package e2e

// The dead set: listed, replayed, dropped, kept.

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

// bury fills the dead set of a worker with calls of a function, in their order.
func (s *stand) bury(w *worker, function string, bodies ...string) []*message {
	s.t.Helper()
	var all []*message
	for _, body := range bodies {
		m := call(function, body)
		s.broker.publish(s.t, m)
		w.next(s.t, m, "dead")
		all = append(all, m)
	}
	return all
}

func callIDs[T any](all []T, of func(T) string) []string {
	var ids []string
	for _, a := range all {
		ids = append(ids, of(a))
	}
	return ids
}

func (l letter) callID() string { return l.CallID }

func TestZ2_LookingChangesNothing(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	all := s.bury(w, "fn1", "a", "b", "c")
	first, second := w.deadSet(t), w.deadSet(t)
	if got, want := callIDs(first, letter.callID), callIDs(all, id); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q, oldest first", got, want)
	}
	if a, b := callIDs(first, letter.String), callIDs(second, letter.String); !slices.Equal(a, b) {
		t.Errorf("a second time: got %q, want %q", b, a)
	}
	if n := len(s.gateway.all()); n != 3 {
		t.Errorf("got %d calls, want 3", n)
	}
}

func TestZ4_ADeadLetterHasItsHistory(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=2", "initial_retry_wait=20ms")
	s.gateway.tell(byRetry(status(500), answer{Hangup: true}, status(502)))
	w := s.worker()
	before := time.Now()
	m := s.bury(w, "figlet.openfaas-fn", "the body")[0]
	l := w.deadSet(t).only(t)
	if l.CallID != id(m) || l.Kind != "function" || l.Function != "figlet.openfaas-fn" || l.Topic != "figlet" {
		t.Errorf("got %+v, want one of the function figlet.openfaas-fn, topic-entity figlet, with its call id", l)
	}
	if l.Reason != "attempts_exhausted" || l.Status != 502 || l.Retries != 2 {
		t.Errorf("got %s, want attempts_exhausted with status 502 after 2 retries", l)
	}
	if got := l.body(); got != "the body" {
		t.Errorf("got the body %q, want the body", got)
	}
	if l.FirstSeen.Before(before) || l.DiedAt.Before(l.FirstSeen) || l.DiedAt.After(time.Now()) {
		t.Errorf("got first_seen %s and died_at %s, want both since %s and in this order", l.FirstSeen, l.DiedAt, before)
	}
	var codes []int
	for i, a := range l.Attempts {
		codes = append(codes, a.Status)
		if i > 0 && a.At.Before(l.Attempts[i-1].At) {
			t.Errorf("got attempts %+v, want them in their order", l.Attempts)
		}
	}
	if want := []int{500, 503, 502}; !slices.Equal(codes, want) {
		t.Fatalf("got attempts with %v, want %v", codes, want)
	}
	if got := l.Attempts[1].Cause; got != "reset" {
		t.Errorf("second attempt: got the cause %q, want reset", got)
	}
}

func TestZ22_AnswersAreJSON(t *testing.T) {
	t.Parallel()
	w := newStand(t).worker()
	res, err := client.Get(w.base + "/v1/dead_set")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Errorf("got the Content-Type %q, want application/json with its charset", got)
	}
	if code, body := w.ask(t, http.MethodGet, "/v1/dead_set"); code != http.StatusOK || !strings.Contains(body, `"messages":[]`) {
		t.Errorf("an empty dead set: got %d %s, want 200 and an empty list", code, body)
	}
}

func TestZ23_OneDeadLetterIsReplayedOrDropped(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=1", "initial_retry_wait=10ms")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	all := s.bury(w, "fn1", "a", "b", "c")
	letters := w.deadSet(t)

	s.gateway.tell(always(answer{}))
	if code := letters[1].replay(t, w); code != http.StatusOK {
		t.Errorf("replay: got %d, want 200", code)
	}
	w.next(t, all[1], "done")
	if code := letters[2].drop(t, w); code != http.StatusOK {
		t.Errorf("drop: got %d, want 200", code)
	}
	if got := callIDs(w.deadSet(t), letter.callID); !slices.Equal(got, []string{id(all[0])}) {
		t.Errorf("got %q, want only the first to stay", got)
	}
	calls := s.gateway.of(all[1])
	if got := retries(calls); !slices.Equal(got, []int{0, 1, 0}) {
		t.Errorf("the replayed one: got the retry numbers %v, want 0, 1, 0", got)
	}
	if got := calls[2].body(); got != "b" {
		t.Errorf("replay: got the body %q, want b", got)
	}
	if got, want := calls[2].Header.Get("Idempotency-Key"), calls[0].Header.Get("Idempotency-Key"); got != want {
		t.Errorf("replay: got the Idempotency-Key %q, want %q", got, want)
	}
	for _, l := range letters[1:] {
		if replay, drop := l.replay(t, w), l.drop(t, w); replay != http.StatusNotFound || drop != http.StatusNotFound {
			t.Errorf("of one that is gone: got %d for replay and %d for drop, want 404", replay, drop)
		}
	}
	if c := w.idle(t); c.accepted != 3 || c.done != 1 || c.dropped != 1 || c.dead != 1 {
		t.Errorf("got %+v, want 3 accepted, and 1 each of done, dropped and dead", c)
	}
	checkCalled(t, s, map[*message]int{all[0]: 2, all[2]: 2})
}

func TestZ7_AReplayThatFailsHasAllItsRetriesAndIsDeadAgain(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=2", "initial_retry_wait=50ms")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	m := s.bury(w, "fn1", "a")[0]
	w.deadSet(t).only(t).replay(t, w)
	s.gateway.awaitDone(t, 6)
	testkit.Eventually(t, "it to be dead again", func() bool { return len(w.deadSet(t)) == 1 })
	calls := s.gateway.of(m)
	if got := retries(calls); !slices.Equal(got, []int{0, 1, 2, 0, 1, 2}) {
		t.Errorf("got the retry numbers %v, want 0, 1, 2 twice", got)
	}
	checkWaits(t, calls[3:], 50*time.Millisecond, 100*time.Millisecond)
	if l := w.deadSet(t).only(t); len(l.Attempts) != 6 || l.Retries != 2 {
		t.Errorf("got %+v, want 6 attempts and 2 retries", l)
	}
}

func TestZ24_TheDeadSetSurvivesAKill(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	s.bury(w, "fn1", "a", "b", "c")
	before := w.deadSet(t)
	w.kill()
	w = s.worker()
	if got, want := callIDs(w.deadSet(t), letter.String), callIDs(before, letter.String); !slices.Equal(got, want) {
		t.Errorf("after the kill: got\n%q, want\n%q", got, want)
	}
	s.gateway.tell(always(answer{}))
	if code := before[0].replay(t, w); code != http.StatusOK {
		t.Errorf("replay: got %d, want 200", code)
	}
	w.kill() // what was answered is on disk
	w = s.worker()
	s.gateway.awaitDone(t, 4)
	w.idle(t)
	if got := callIDs(w.deadSet(t), letter.String); !slices.Equal(got, callIDs(before[1:], letter.String)) {
		t.Errorf("after replay and kill: got %q, want the other two", got)
	}
}

func TestWithDeadSetOffNothingIsKept(t *testing.T) {
	t.Parallel()
	s := newStand(t, "dead_set=off", "max_retry_attempts=0")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "discarded")
	s.broker.publishRaw(t, "not JSON")
	testkit.Eventually(t, "both to be discarded", func() bool {
		m := w.metrics(t)
		return m.sum("queue_worker_discarded_total", "reason", "attempts_exhausted") == 1 &&
			m.sum("queue_worker_discarded_total", "reason", "malformed") == 1
	})
	if n := len(w.deadSet(t)); n != 0 {
		t.Errorf("got %d dead letters, want 0", n)
	}
}

func TestWithBasicAuthTheDeadSetNeedsTheMountedCredentials(t *testing.T) {
	t.Parallel()
	secret := t.TempDir()
	for name, content := range map[string]string{"basic-auth-user": "admin", "basic-auth-password": "correct horse"} {
		if err := os.WriteFile(filepath.Join(secret, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := newStand(t, "basic_auth=true", "secret_mount_path="+secret, "max_retry_attempts=0")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	s.bury(w, "fn1", "a")
	right := func(r *http.Request) { r.SetBasicAuth("admin", "correct horse") }
	l := w.deadSet(t, right).only(t)
	for name, credentials := range map[string]func(*http.Request){
		"none":             func(*http.Request) {},
		"a wrong password": func(r *http.Request) { r.SetBasicAuth("admin", "correct hors") },
		"a wrong user":     func(r *http.Request) { r.SetBasicAuth("root", "correct horse") },
		"empty ones":       func(r *http.Request) { r.SetBasicAuth("", "") },
		"in the query":     func(r *http.Request) { r.URL.RawQuery = "user=admin&password=correct+horse" },
	} {
		for _, path := range []string{"/v1/dead_set", "/v1/dead_set/" + l.ID} {
			if code, body := w.ask(t, http.MethodGet, path, credentials); code != http.StatusUnauthorized || strings.Contains(body, "fn1") {
				t.Errorf("with %s: GET %s: got %d %s, want 401", name, path, code, body)
			}
		}
		if replay, drop := l.replay(t, w, credentials), l.drop(t, w, credentials); replay != http.StatusUnauthorized || drop != http.StatusUnauthorized {
			t.Errorf("with %s: got %d for replay and %d for drop, want 401", name, replay, drop)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/ping", "/metrics"} {
		if code, _ := w.ask(t, http.MethodGet, path); code != http.StatusOK {
			t.Errorf("without credentials: %s: got %d, want 200", path, code)
		}
	}
	if code := l.drop(t, w, right); code != http.StatusOK {
		t.Errorf("with the right credentials: drop: got %d, want 200", code)
	}
}

func TestWithoutReadableCredentialsTheDeadSetIsShutCallsAreNot(t *testing.T) {
	t.Parallel()
	s := newStand(t, "basic_auth=true", "secret_mount_path="+filepath.Join(t.TempDir(), "missing"))
	w := s.worker()
	w.event(t, "the credentials", func(e entry) bool {
		return e.text("level") == "WARN" && strings.Contains(e.message(), "credentials")
	})
	if code, body := w.ask(t, http.MethodGet, "/v1/dead_set", func(r *http.Request) { r.SetBasicAuth("", "") }); code != http.StatusForbidden || !strings.Contains(body, "hint") {
		t.Errorf("got %d %s, want 403 with a hint", code, body)
	}
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "done")
}

func TestWithoutBasicAuthOnlyThisMachineMaySeeTheDeadSet(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	refused := map[string]func(*http.Request){
		"another host":  func(r *http.Request) { r.Host = "queue-worker.openfaas:8081" },
		"a proxy":       func(r *http.Request) { r.Header.Set("X-Forwarded-For", "10.0.0.1") },
		"another site":  func(r *http.Request) { r.Host = "evil.example" },
		"another spelt": func(r *http.Request) { r.Host = "127.0.0.1.evil.example" },
	}
	for name, edit := range refused {
		if code, body := w.ask(t, http.MethodGet, "/v1/dead_set", edit); code != http.StatusForbidden || !strings.Contains(body, `"hint"`) {
			t.Errorf("to %s: got %d %s, want 403 with a hint", name, code, body)
		}
	}
	open := newStandOn(t, s.broker, "admin_open=true", "faas_nats_queue_group=other").worker()
	if code, _ := open.ask(t, http.MethodGet, "/v1/dead_set", refused["another host"]); code != http.StatusOK {
		t.Errorf("with admin_open: got %d, want 200", code)
	}
}

func TestO1_O2_O3_PingUnknownPathsAndWrongMethods(t *testing.T) {
	t.Parallel()
	w := newStand(t).worker()
	res, err := client.Get(w.base + "/ping")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if got := res.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/plain") {
		t.Errorf("/ping: got %q, want text/plain", got)
	}
	if code, body := w.ask(t, http.MethodGet, "/ping"); code != http.StatusOK || body != "pong" {
		t.Errorf("/ping: got %d %q, want 200 pong", code, body)
	}
	if code, _ := w.ask(t, http.MethodGet, "/nope"); code != http.StatusNotFound {
		t.Errorf("an unknown path: got %d, want 404", code)
	}
	if code, _ := w.ask(t, http.MethodPut, "/v1/dead_set"); code != http.StatusMethodNotAllowed {
		t.Errorf("a wrong method: got %d, want 405", code)
	}
}
