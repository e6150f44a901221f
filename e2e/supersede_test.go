package e2e

// Callbacks of outcomes before a replay.

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

// sequences are status and sequence of all callbacks that a receiver got.
func sequences(target *stub) (all []string) {
	for _, a := range target.all() {
		all = append(all, a.Header.Get("X-Function-Status")+" "+a.Header.Get("X-Callback-Sequence"))
	}
	return all
}

// inTurn answers requests in their order, and all further ones as the last.
func inTurn(answers ...answer) func(asked) answer {
	var asks atomic.Int64
	return func(asked) answer { return answers[min(int(asks.Add(1)), len(answers))-1] }
}

func TestAReplaySupersedesOlderCallbacks(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{true, false} {
		settings := []string{"retry_http_codes=503", "initial_retry_wait=1h", "max_retry_wait=1h"}
		if !durable {
			settings = append(settings, "data_dir=")
		}
		s, target := newStand(t, settings...), newStub(t)
		s.gateway.tell(inTurn(status(500), answer{Body: "well"}))
		target.tell(inTurn(status(503), status(200)))
		w := s.worker()
		m := call("fn1", "", withCallback(target.url()))
		s.broker.publish(t, m)
		stale := w.posted(t, m, "retry").text("id")
		begun := time.Now()
		w.cli(t, "dead", "replay", id(m)).want(t, 0)
		w.posted(t, m, "done")
		w.idle(t) // the callback that waited for an hour is gone
		if got, want := sequences(target), []string{"500 1", "200 2"}; !slices.Equal(got, want) {
			t.Errorf("durable %v: status and sequence of the callbacks: got %q, want %q", durable, got, want)
		}
		completed, err := time.Parse(time.RFC3339Nano, target.all()[1].Header.Get("X-Completed-At"))
		if err != nil || completed.Before(begun) {
			t.Errorf("durable %v: X-Completed-At: got %v, %v, want a time after %v", durable, completed, err, begun)
		}
		if got := w.invocation(t, stale); got.State != "cancelled" || got.Reason != "superseded" {
			t.Errorf("durable %v: the older callback: got %s %q, want cancelled superseded", durable, got.State, got.Reason)
		}
		if !durable {
			continue
		}
		w.kill()
		w = s.worker()
		if got := w.invocation(t, stale); got.State != "cancelled" || got.Reason != "superseded" {
			t.Errorf("the older callback after a restart: got %s %q, want cancelled superseded", got.State, got.Reason)
		}
	}
}

func TestADeadCallbackOfAnOlderOutcomeNeedsForce(t *testing.T) {
	t.Parallel()
	s, target := newStand(t, "max_retry_attempts=0"), newStub(t)
	s.gateway.tell(inTurn(status(500), status(200)))
	target.tell(inTurn(status(503), status(200)))
	w := s.worker()
	m := call("fn1", "", withCallback(target.url()))
	s.broker.publish(t, m)
	stale := w.posted(t, m, "dead").text("id")
	origin := ""
	testkit.Eventually(t, "both dead letters", func() bool {
		all := w.deadSet(t)
		for _, l := range all {
			if l.ID != stale {
				origin = l.ID
			}
		}
		return len(all) == 2
	})
	w.cli(t, "dead", "replay", origin).want(t, 0)
	w.posted(t, m, "done")
	w.cli(t, "dead", "show", stale).want(t, 0, "superseded")
	w.cli(t, "dead", "replay", stale).want(t, 1, "force")
	if code, body := w.ask(t, http.MethodPost, "/v1/dead_set/"+stale+"/replay"); code != http.StatusConflict {
		t.Errorf("replay without force: got %d %s, want %d", code, body, http.StatusConflict)
	}
	w.cli(t, "dead", "replay", stale, "--force").want(t, 0)
	w.idle(t)
	if got, want := sequences(target), []string{"500 1", "200 2", "500 1"}; !slices.Equal(got, want) {
		t.Errorf("status and sequence of the callbacks: got %q, want %q", got, want)
	}
}
