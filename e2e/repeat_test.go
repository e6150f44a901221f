package e2e

// Delays and idempotency keys on calls through the gateway.

import (
	"testing"
	"time"
)

func TestADelayThroughTheGatewayIsHonoured(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	later := call("fn1", "", with("X-Delay-Duration", "1h"))
	s.broker.publish(t, later)
	if got := w.isIn(t, later, "delayed"); got.Due.Sub(got.First) != time.Hour {
		t.Errorf("delayed by an hour: got due %v after it came, want 1h", got.Due.Sub(got.First))
	}
	soon := call("fn2", "", with("X-Delay-Duration", "1s"))
	s.broker.publish(t, soon)
	w.next(t, soon, "done")
	got := s.gateway.of(soon)[0]
	if first := w.invocation(t, id(soon)).First; got.At.Sub(first) < time.Second {
		t.Errorf("delayed by a second: got the call %v after it came, want at least 1s", got.At.Sub(first))
	}
	if got.Header.Get("X-Delay-Duration") != "" {
		t.Errorf("a delay that was honoured: got %q for the function, want none", got.Header.Get("X-Delay-Duration"))
	}
	for _, m := range []*message{
		call("fn3", "", with("X-Delay-Duration", "soon")),                             // is the function's own
		call("fn3", "", with("X-Delay-Duration", "10"), with("X-Retries", "1")),       // of a mailbox client
		call("fn3", "", with("X-Delay-Duration", "999d"), with("X-Max-Retries", "1")), // likewise
	} {
		s.broker.publish(t, m)
		w.next(t, m, "done")
		if got, want := s.gateway.of(m)[0].Header.Get("X-Delay-Duration"), m.Header["X-Delay-Duration"][0]; got != want {
			t.Errorf("a delay that is not ours: got %q for the function, want %q", got, want)
		}
	}
}

func TestAKeyThroughTheGatewayRunsOnce(t *testing.T) {
	t.Parallel()
	s, target := newStand(t), newStub(t)
	s.gateway.annotate(annotations{"once": {"queue-worker.idempotency": "true"}, "plain": nil})
	release := make(chan struct{})
	s.gateway.tell(func(a asked) answer {
		if a.Function == "once" {
			return answer{Body: "paid", Until: release}
		}
		return answer{}
	})
	w := s.worker()
	publish := func(function, body string) *message {
		m := call(function, body, with("Idempotency-Key", "order-7"), withCallback(target.url()))
		s.broker.publish(t, m)
		return m
	}
	first := publish("once", "order 7")
	s.gateway.await(t, 1)
	second := publish("once", "order 7")
	if got := w.isIn(t, second, "delayed"); got.Repeats != w.invocation(t, id(first)).ID {
		t.Errorf("the repetition: got one of %q, want of %q", got.Repeats, w.invocation(t, id(first)).ID)
	}
	w.kill() // the key is durable before the call
	w = s.worker()
	close(release)
	w.posted(t, first, "done")
	w.posted(t, second, "done")
	third := publish("once", "order 7") // the first has finished
	w.posted(t, third, "done")
	for _, m := range []*message{second, third} {
		if n := len(s.gateway.of(m)); n != 0 {
			t.Errorf("calls of a repetition: got %d, want 0", n)
		}
	}
	got := map[string]string{}
	for _, a := range target.all() {
		got[a.callID()] += string(a.Body)
	}
	for _, m := range []*message{first, second, third} {
		if got[id(m)] != "paid" {
			t.Errorf("callbacks of %s: got %q, want one with %q", id(m), got[id(m)], "paid")
		}
	}
	w.cli(t, "invocation", "wait", id(third), "--timeout", "1m").want(t, 0)
	w.cli(t, "invocation", "get", id(third), "--result").want(t, 0, "paid")
	other := publish("once", "order 8")
	w.next(t, other, "done")
	if n := len(s.gateway.of(other)); n != 1 {
		t.Errorf("calls with other content: got %d, want 1", n)
	}
	for range 2 {
		m := publish("plain", "order 7")
		w.next(t, m, "done")
		if n := len(s.gateway.of(m)); n != 1 {
			t.Errorf("calls of a function without the annotation: got %d, want 1", n)
		}
	}
}
