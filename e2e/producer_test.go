package e2e

// The callback producer: POST /queue/producer.

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// checkHello compares a delivery with {"message":"hello"}.
func checkHello(t testing.TB, a asked) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal(a.Body, &got); err != nil || len(got) != 1 || got["message"] != "hello" {
		t.Errorf(`got the body %s, want {"message":"hello"}`, a.Body)
	}
	if got := a.Method + " " + a.URI; got != "POST /cb" {
		t.Errorf("got the request %s, want POST /cb", got)
	}
	if got := a.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("got the Content-Type %q, want application/json", got)
	}
}

func TestD1_D2_D3_D4_AMessageIsPostedOnceToItsURL(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s, target := newStand(t, mode), newStub(t)
		w := s.worker()
		for n, path := range []string{"/queue/producer/", "/queue/producer"} {
			body := `{"message":"hello","callback_url":"` + target.url() + `/cb"}`
			got := w.send(t, path, body, "Content-Type", "application/json")
			var answered []struct{ ID, URL, Msg string }
			if err := json.Unmarshal([]byte(got.Body), &answered); err != nil || got.Status != http.StatusAccepted || len(answered) != 1 {
				t.Fatalf("%s: got %d %s, want 202 and a list of one", path, got.Status, got.Body)
			}
			want := struct{ ID, URL, Msg string }{got.Header.Get("X-Invocation-Id"), target.url() + "/cb", "hello"}
			if answered[0] != want {
				t.Errorf("%s: got %+v, want %+v", path, answered[0], want)
			}
			if !strings.HasPrefix(got.Header.Get("Content-Type"), "application/json") {
				t.Errorf("%s: got the Content-Type %q, want application/json", path, got.Header.Get("Content-Type"))
			}
			w.delivered(t, got.message(), "done")
			w.idle(t) // so nothing can come later
			all := target.all()
			if len(all) != n+1 {
				t.Fatalf("got %d posts, want %d", len(all), n+1)
			}
			checkHello(t, all[n])
		}
		if n := len(s.gateway.all()); n != 0 {
			t.Errorf("got %d requests at the gateway, want 0", n)
		}
	})
}

func TestD5_D6_EverythingButSuccessIsRetried(t *testing.T) {
	t.Parallel()
	s := newStand(t, "retry_http_codes=599") // not for the producer
	w := s.worker()
	targets := map[int]*stub{}
	sent := map[int]*message{}
	for _, code := range []int{400, 401, 404, 500, 503, 301} {
		target := newStub(t)
		target.tell(func(asked) answer {
			if len(target.asked) == 1 { // its lock is held
				return answer{Status: code, Header: http.Header{"Location": {"/elsewhere"}}}
			}
			return answer{}
		})
		targets[code], sent[code] = target, w.produce(t, "hello", target.url()+"/cb")
	}
	for code, m := range sent {
		w.delivered(t, m, "done")
		all := targets[code].all()
		if len(all) != 2 {
			t.Errorf("after %d: got %d posts, want 2", code, len(all))
			continue
		}
		checkHello(t, all[0])
		checkHello(t, all[1])
		if gap := all[1].At.Sub(all[0].Done); gap < time.Second {
			t.Errorf("after %d: got the second after %s, want it after 1s or more", code, gap)
		}
	}
	w.idle(t)
}

func TestD7_ATargetThatIsDownIsWaitedFor(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s, target := newStand(t, mode), newStub(t)
		w := s.worker()
		target.close()
		m := w.produce(t, "hello", target.url()+"/cb")
		if e := w.delivered(t, m, "retry"); e.text("cause") != "refused" {
			t.Errorf("a closed port: got %v, want the cause refused", e)
		}
		if code, body := w.ask(t, http.MethodGet, "/ping"); code != http.StatusOK || body != "pong" {
			t.Errorf("/ping: got %d %s, want 200 pong", code, body)
		}
		target.open()
		w.delivered(t, m, "done")
		w.idle(t)
		if n := len(target.all()); n != 1 {
			t.Errorf("got %d posts, want 1", n)
		}
	})
}

func TestD8_ATargetThatNeverAnswersFailsAndDelaysNoOther(t *testing.T) {
	t.Parallel()
	s, hangs, answers := newStand(t, "callback_timeout=2s"), newStub(t), newStub(t)
	release := make(chan struct{})
	defer close(release)
	hangs.tell(always(answer{Until: release}))
	w := s.worker()
	slow := w.produce(t, "hello", hangs.url()+"/cb")
	hangs.await(t, 1)
	w.delivered(t, w.produce(t, "hello", answers.url()+"/cb"), "done")
	if e := w.delivered(t, slow, "retry"); e.text("cause") != "timeout" {
		t.Errorf("a target that never answers: got %v, want the cause timeout", e)
	}
	hangs.await(t, 2)
}

func TestD9_AMessageThatIsAlwaysRefusedIsDead(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s, target := newStand(t, "max_retry_attempts=2", "max_retry_wait=1s", "initial_retry_wait=1ms", mode), newStub(t)
		target.tell(always(status(400)))
		w := s.worker()
		m := w.produce(t, "hello", target.url()+"/cb")
		w.delivered(t, m, "dead")
		w.idle(t)
		if n := len(target.all()); n != 3 {
			t.Errorf("got %d posts, want 3", n)
		}
		l := w.deadSet(t).only(t)
		if l.Kind != "callback" || l.body() != `{"message":"hello"}` {
			t.Errorf("got a %s with %s, want a callback with the message", l.Kind, l.Message)
		}
		if l.Reason != "attempts_exhausted" || l.Status != 400 || len(l.Attempts) != 3 {
			t.Errorf("got %s, want attempts_exhausted with status 400 and 3 attempts", l)
		}
		if want := "url:" + target.addr; l.Topic != want {
			t.Errorf("got the topic-entity %s, want %s", l.Topic, want)
		}
	})
}

func TestD10_BadInputIsRefused(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	for _, body := range []string{
		"", "{", "{}", "[]", "null", `"x"`, "7", `{"message":"x"}`, `{"callback_url":"http://h/"}`,
		`{"message":"x","callback_url":"ftp://x"}`, `{"message":"x","callback_url":""}`, `{"message":"x","callback_url":"/cb"}`,
		`{"message":"x","callback_url":"http://"}`, `{"message":"x","callback_url":"http://127.1/"}`, `{"message":"x","callback_url":"http://h:0/"}`,
		`{"message":"x","callback_url":"http://h:99999/"}`, `{"message":"x","callback_url":"http://h/` + strings.Repeat("a", 2048) + `"}`,
		`{"message":1,"callback_url":"http://h/"}`, `{"message":["x"],"callback_url":"http://h/"}`, `{"message":null,"callback_url":"http://h/"}`,
		`{"message":"x","callback_url":1}`, `{"message":"x","callback_url":"http://h/"}}`,
	} {
		got := w.send(t, "/queue/producer/", body, "Content-Type", "application/json")
		if got.Status != http.StatusBadRequest || got.reason() != "bad_request" {
			t.Errorf("%.80s: got %d %s, want 400 bad_request", body, got.Status, got.Body)
		}
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		if code, body := w.ask(t, method, "/queue/producer/"); code != http.StatusMethodNotAllowed || body == "" {
			t.Errorf("%s: got %d %s, want 405", method, code, body)
		}
	}
	w.untouched(t)
}

func TestD11_AMessageSurvivesAKill(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s, target := newStand(t, mode), newStub(t)
		w := s.worker()
		target.close()
		m := w.produce(t, "hello", target.url()+"/cb")
		w.kill()
		target.open()
		w = s.worker()
		w.delivered(t, m, "done")
		w.idle(t)
		checkHello(t, target.all()[0])
	})
}

func TestD12_MessagesAreDeliveredBesideEachOther(t *testing.T) {
	t.Parallel()
	s, target := newStand(t), newStub(t)
	w := s.worker()
	// A host that was never called gets one call until it answers.
	w.delivered(t, w.produce(t, "hello", target.url()+"/cb"), "done")
	release := make(chan struct{})
	target.tell(always(answer{Until: release}))
	var all []*message
	for range 10 {
		all = append(all, w.produce(t, "hello", target.url()+"/cb"))
	}
	target.await(t, 11) // none is answered yet, so ten answers of a second take one
	close(release)
	for _, m := range all {
		w.delivered(t, m, "done")
	}
	if n := target.mostAtOnce(); n != 10 {
		t.Errorf("got %d posts at once, want 10", n)
	}
}

// TestTheProducersWalkThrough is that of the callback producer, on the ports of dev: the
// target accepts every other post, and in the end all messages have arrived.
func TestTheProducersWalkThrough(t *testing.T) {
	t.Parallel()
	d := newDevStand(t)
	w := d.start()
	for range 3 {
		m := w.produce(t, "hello", "http://"+d.gateway+"/function/callback-service")
		if e := w.delivered(t, m, "retry"); e["status"] != 400.0 {
			t.Errorf("first attempt: got %v, want status 400", e)
		}
		w.delivered(t, m, "done")
	}
	w.idle(t)
}
