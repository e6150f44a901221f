package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// TestM24 posts as the mailbox's README shows it: the function's own handler, which
// sends what it was given back with its number of retries.
func TestM24_TheClientOfTheREADMEIsServed(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	var posts []sent
	posted := make(chan struct{}, 10)
	s.gateway.tell(func(a asked) answer {
		retries := a.Header.Get("X-Retries")
		if retries == "3" {
			return answer{}
		}
		// r = requests.post(mailbox_url + "/deadletter/" + fn, body, headers={"X-Retries": retries, "X-Max-Retries": "9", "X-Delay-Duration": "1"})
		got, err := w.trySend("/deadletter/handler", string(a.Body), "X-Retries", retries, "X-Max-Retries", "9", "X-Delay-Duration", "0")
		if err != nil {
			t.Error(err)
		}
		posts = append(posts, got)
		posted <- struct{}{}
		return answer{} // it has dealt with it
	})
	first := w.send(t, "/deadletter/handler", "work", "X-Retries", "0", "X-Max-Retries", "9", "X-Delay-Duration", "0")
	if first.Status != http.StatusAccepted {
		t.Fatalf("got %d %q, want 202", first.Status, first.Body)
	}
	<-posted
	<-posted
	s.gateway.awaitDone(t, 3)
	w.idle(t)
	for _, p := range posts {
		if p.Status != http.StatusAccepted {
			t.Errorf("the handler: got %d %q, want 202", p.Status, p.Body)
		}
	}
	for n, a := range s.gateway.all() {
		if want := string(rune('1' + n)); a.Header.Get("X-Retries") != want || string(a.Body) != "work" {
			t.Errorf("call %d: got X-Retries %q with the body %q, want %s with work", n, a.Header.Get("X-Retries"), a.Body, want)
		}
	}
	if bad := w.send(t, "/deadletter/handler", "work", "X-Retries", "None"); bad.Status != 400 || bad.Body == "" {
		t.Errorf("a mistake of the handler: got %d %q, want 400 with a text", bad.Status, bad.Body)
	}
}

func TestM25_OtherHeadersArriveUnchanged(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode string) {
		s, target := newStand(t, mode), newStub(t)
		s.gateway.tell(always(answer{Status: 201, Body: "result"}))
		w := s.worker()
		m := w.submit(t, "/deadletter/fn1", `{"a":1}`, "X-Delay-Duration", "0", "Content-Type", "application/json",
			"X-Callback-Url", target.url()+"/cb?x=1", "X-Call-Id", "my-own-id", "X-Mine", "a", "X-Mine", "b")
		if id(m) != "my-own-id" {
			t.Errorf("got the call id %q, want my-own-id", id(m))
		}
		w.next(t, m, "done")
		a := s.gateway.all()[0]
		for name, want := range map[string]string{
			"Content-Type": "application/json", "X-Callback-Url": target.url() + "/cb?x=1", "X-Call-Id": "my-own-id", "X-Mine": "a, b",
		} {
			if got := strings.Join(a.Header.Values(name), ", "); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		cb := target.awaitDone(t, 1)[0]
		if got := cb.body(); got != "result" {
			t.Errorf("callback: got the body %q, want result", got)
		}
		for name, want := range map[string]string{"X-Call-Id": "my-own-id", "X-Function-Status": "201"} {
			if got := cb.Header.Get(name); got != want {
				t.Errorf("callback: %s: got %q, want %q", name, got, want)
			}
		}
	})
}
