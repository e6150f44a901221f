package e2e

// The callback producer: POST /queue/producer.

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// checkHello tells what is wrong with a delivery of {"message":"hello"}.
func checkHello(t testing.TB, a asked) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal(a.Body, &got); err != nil || len(got) != 1 || got["message"] != "hello" {
		t.Errorf("posted is %s", a.Body)
	}
	if a.Method != "POST" || a.URI != "/cb" || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("it is posted as %s %s %v", a.Method, a.URI, a.Header)
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
				t.Fatalf("%s is answered %d %s", path, got.Status, got.Body)
			}
			if a := answered[0]; a.URL != target.url()+"/cb" || a.Msg != "hello" || a.ID != got.Header.Get("X-Invocation-Id") {
				t.Errorf("%s is answered %+v", path, a)
			}
			if !strings.HasPrefix(got.Header.Get("Content-Type"), "application/json") {
				t.Errorf("%s is answered as %s", path, got.Header.Get("Content-Type"))
			}
			w.delivered(t, got.message(), "done")
			w.idle(t) // so nothing can come later
			all := target.all()
			if len(all) != n+1 {
				t.Fatalf("%d were posted, want %d", len(all), n+1)
			}
			checkHello(t, all[n])
		}
		if n := len(s.gateway.all()); n != 0 {
			t.Errorf("the gateway was asked %d times", n)
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
			t.Errorf("after %d there were %d posts", code, len(all))
			continue
		}
		checkHello(t, all[0])
		checkHello(t, all[1])
		if gap := all[1].At.Sub(all[0].Done); gap < time.Second {
			t.Errorf("after %d the second came %s later", code, gap)
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
			t.Errorf("a closed port is %v", e)
		}
		if code, body := w.ask(t, http.MethodGet, "/ping"); code != http.StatusOK || body != "pong" {
			t.Errorf("/ping answers %d %s", code, body)
		}
		target.open()
		w.delivered(t, m, "done")
		w.idle(t)
		if n := len(target.all()); n != 1 {
			t.Errorf("%d were posted", n)
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
		t.Errorf("a target that never answers is %v", e)
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
			t.Errorf("%d were posted", n)
		}
		l := w.deadSet(t).only(t)
		if l.Kind != "callback" || l.Reason != "attempts_exhausted" || l.Status != 400 || len(l.Attempts) != 3 || string(l.Message) != `{"message":"hello"}` {
			t.Errorf("the letter is %s", l)
		}
		if want := "url:" + target.addr; l.Topic != want {
			t.Errorf("its topic-entity is %s, want %s", l.Topic, want)
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
			t.Errorf("%.80s is answered %d %s", body, got.Status, got.Body)
		}
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		if code, body := w.ask(t, method, "/queue/producer/"); code != http.StatusMethodNotAllowed || body == "" {
			t.Errorf("%s is answered %d %s", method, code, body)
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
		t.Errorf("%d ran at once", n)
	}
}

// TestTheProducersWalkThrough is the old one on dev's own ports: the target takes
// every other message, and in the end all have arrived.
func TestTheProducersWalkThrough(t *testing.T) {
	t.Parallel()
	d := newDevStand(t)
	w := d.start()
	for range 3 {
		m := w.produce(t, "hello", "http://"+d.gateway+"/function/callback-service")
		if e := w.delivered(t, m, "retry"); e["status"] != 400.0 {
			t.Errorf("the first attempt is %v", e)
		}
		w.delivered(t, m, "done")
	}
	w.idle(t)
}
