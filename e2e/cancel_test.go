package e2e

// Cancelling: after the 202 it is not called any more, whatever happens.

import (
	"net/http"
	"net/url"
	"syscall"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

// cancelled are the states in which an invocation can be cancelled, and how a stand
// brings one there.
var cancelled = map[string]func(*testing.T, *stand, *worker) *message{
	"ready": func(t *testing.T, s *stand, w *worker) *message {
		slow, m := call("slow", ""), call("fn1", "")
		s.broker.publish(t, slow)
		s.gateway.await(t, 1)
		s.broker.publish(t, m)
		return m
	},
	"delayed": func(t *testing.T, s *stand, w *worker) *message {
		m := call("flaky", "")
		s.broker.publish(t, m)
		w.next(t, m, "retry")
		return m
	},
	"running": func(t *testing.T, s *stand, w *worker) *message {
		m := call("slow", "", with("X-Callback-Url", s.gateway.url()+"/callback"))
		s.broker.publish(t, m)
		s.gateway.await(t, 1)
		return m
	},
}

func TestWhatWasCancelledIsNotCalledAlsoNotAfterAKill(t *testing.T) {
	t.Parallel()
	for state, bring := range cancelled {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			inBothModes(t, func(t *testing.T, mode string) {
				s := newStand(t, mode, "max_inflight=1", "initial_retry_wait=2s", "max_retry_attempts=5")
				gate := make(chan struct{})
				s.gateway.tell(byFunction(map[string]answer{"flaky": status(500), "slow": {Until: gate}}))
				w := s.worker()
				m := bring(t, s, w)
				v := w.isIn(t, m, state)
				if code, reason := w.cancel(t, v.ID); code != http.StatusAccepted {
					t.Fatalf("cancelling is answered %d %s, want %d", code, reason, http.StatusAccepted)
				}
				before := len(s.gateway.of(m))
				w.kill()
				close(gate)
				w = s.worker()
				marker := call("marker", "")
				s.broker.publish(t, marker)
				w.next(t, marker, "done")
				w.idle(t)
				if state == "delayed" {
					time.Sleep(time.Until(v.Due.Add(100 * time.Millisecond))) // when it would be called
					w.idle(t)
				}
				if now := len(s.gateway.of(m)); now != before {
					t.Errorf("after the 202 it was called %d times, want now %v", now-before, before)
				}
				for _, a := range s.gateway.all() {
					if a.URI == "/callback" {
						t.Errorf(`there was a callback: got URI %v, want other than "/callback"`, a.URI)
					}
				}
			})
		})
	}
}

func TestARunningCallIsEndedAndItsSlotIsFree(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode, "max_inflight=1")
		tell, release := held("slow")
		s.gateway.tell(tell)
		defer release()
		w := s.worker()
		m, next := call("slow", ""), call("fn1", "")
		s.broker.publish(t, m)
		s.gateway.await(t, 1)
		s.broker.publish(t, next)
		code, body := w.ask(t, http.MethodDelete, "/async-function/"+id(m)) // as with the commercial gateway
		switch e := parse(body); {
		case code != http.StatusAccepted:
			t.Fatalf("cancelling is answered %d %s, want code %d", code, body, http.StatusAccepted)
		case e.text("state") != "cancelled":
			t.Fatalf(`cancelling is answered %d %s, want state "cancelled"`, code, body)
		}
		s.gateway.awaitThat(t, "the call to be broken off", func(all []asked) bool { return all[0].Broken })
		w.next(t, m, "cancelled")
		w.next(t, next, "done")
		if v := w.invocation(t, id(m)); v.State != "cancelled" {
			t.Errorf(`it is %+v, want state "cancelled"`, v)
		}
		switch c := w.idle(t); {
		case c.accepted != 2:
			t.Errorf("the counts are %+v, want accepted 2", c)
		case c.done != 1:
			t.Errorf("the counts are %+v, want done 1", c)
		case c.dropped != 1:
			t.Errorf("the counts are %+v, want dropped 1", c)
		case c.dead != 0:
			t.Errorf("the counts are %+v, want dead 0", c)
		}
		if code, reason := w.cancel(t, id(m)); code != http.StatusAccepted {
			t.Errorf("cancelling it once more is answered %d %s, want %d", code, reason, http.StatusAccepted)
		}
	})
}

func TestWhatIsDeadOverOrUnknownCannotBeCancelled(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	s.gateway.tell(byFunction(map[string]answer{"bad": status(500)}))
	w := s.worker()
	dead := s.bury(w, "bad", "")[0]
	done := call("fn1", "")
	s.broker.publish(t, done)
	w.next(t, done, "done")
	for _, tt := range []struct {
		id     string
		code   int
		reason string
	}{
		{id(dead), http.StatusConflict, "dead"}, {w.invocation(t, id(dead)).ID, http.StatusConflict, "dead"},
		{id(done), http.StatusConflict, "over"}, {w.invocation(t, id(done)).ID, http.StatusConflict, "over"},
		{"unknown-to-all", http.StatusNotFound, "not_found"}, {"0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7", http.StatusNotFound, "not_found"},
	} {
		for _, path := range []string{"/v1/invocations/", "/async-function/"} {
			code, body := w.ask(t, http.MethodDelete, path+url.PathEscape(tt.id))
			switch reason := parse(body).text("reason"); {
			case code != tt.code:
				t.Errorf("DELETE %s%s is answered %d %s, want code %v", path, tt.id, code, body, tt.code)
			case reason != tt.reason:
				t.Errorf("DELETE %s%s is answered %d %s, want reason %v", path, tt.id, code, body, tt.reason)
			}
		}
	}
	switch c := w.idle(t); {
	case c.dead != 1:
		t.Errorf("the counts are %+v, want dead 1", c)
	case c.dropped != 0:
		t.Errorf("the counts are %+v, want dropped 0", c)
	}
}

// TestCancellingRacesWithTheEndOfACall cancels while calls end by themselves, fail
// and fall due: whatever comes first, what was answered 202 is not called again, and
// what was answered otherwise is over.
func TestCancellingRacesWithTheEndOfACall(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode, "initial_retry_wait=1ms", "max_retry_wait=3ms", "max_retry_attempts=2")
		s.gateway.tell(func(a asked) answer {
			if a.Function == "flaky" {
				return answer{Status: 500, Delay: time.Millisecond}
			}
			return answer{Delay: time.Millisecond}
		})
		w := s.worker()
		var calls []*message
		after := map[*message]int{} // calls at the 202
		for n := range 60 {
			m := call([]string{"flaky", "fn1"}[n%2], "")
			calls = append(calls, m)
			s.broker.publish(t, m)
			testkit.Eventually(t, "it to be taken in", func() bool { return len(w.invocations(t, id(m))) == 1 })
			switch code, reason := w.cancel(t, id(m)); {
			case code == http.StatusAccepted:
				after[m] = len(s.gateway.of(m))
			case code != http.StatusConflict:
				t.Errorf("cancelling is answered %d %s", code, reason)
			}
		}
		w.idle(t)
		for _, m := range calls {
			was, cancelled := after[m]
			// A call that was broken off on its way may reach the gateway after the 202.
			if now := len(s.gateway.of(m)); cancelled && now > was+1 {
				t.Errorf("%s was called %d times more after it was cancelled, want now at most %v", m.Function, now-was, was+1)
			}
			if state := w.invocation(t, id(m)).State; (state == "cancelled") != cancelled {
				t.Errorf(`one that was cancelled (%v) is %s, want state == "cancelled" %v`, cancelled, state, cancelled)
			}
		}
	})
}

func TestWhatWasPurgedWithoutADataDirDoesNotComeBack(t *testing.T) {
	t.Parallel()
	s := newStand(t, "data_dir=")
	w := s.worker()
	w.pause(t, "fn1", `{"reason":"it is to be purged"}`)
	purged := []*message{call("fn1", "a"), call("fn1", "b"), call("fn1", "c")}
	s.broker.publish(t, purged...)
	for _, m := range purged {
		w.isIn(t, m, "ready")
	}
	j := w.planAt(t, "/v1/functions/fn1/purge", `{"state":"all"}`)
	w.steer(t, j, "apply")
	w.awaitState(t, j, "done")
	for _, m := range purged {
		if v := w.invocation(t, id(m)); v.State != "cancelled" {
			t.Errorf(`what was purged is %s, want "cancelled"`, v.State)
		}
	}
	w.signal(t, syscall.SIGTERM)
	if code := w.exit(t); code != 0 {
		t.Errorf("the exit code is %d, want 0", code)
	}
	s.checkNotAgain(purged[0]) // the pause is gone with the process
	if all := s.gateway.calls(); len(all) != 1 {
		t.Errorf("there were %d calls, want that of the marker alone", len(all))
	}
}

func TestWhatWasJustSentCanBeCancelled(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s := newStand(t, mode)
		w := s.worker()
		w.pause(t, "fn1", "{}")
		for range 20 {
			m := w.submit(t, "/async-function/fn1", "")
			if code, reason := w.cancel(t, id(m)); code != http.StatusAccepted {
				t.Fatalf("cancelling what was just sent is answered %d %s, want %d", code, reason, http.StatusAccepted)
			}
		}
		w.steerFunction(t, "fn1", "resume", "")
		w.idle(t)
		if all := s.gateway.calls(); len(all) != 0 {
			t.Errorf("there were %d calls, want 0", len(all))
		}
	})
}
