// File submit_key_test.go submits with an Idempotency-Key.

package ingest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/wire"
)

func TestAnIdempotencyKeyStandsForOneContentOfOneFunction(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.Post(t, "/async-function/f/p?q=1", "body", "Idempotency-Key", "k", "Content-Type", "text/plain", "X-Call-Id", "first")
	s := r.Accepts.Only(t)
	switch {
	case first.Status != http.StatusAccepted:
		t.Fatalf("%d, key %+v, want status %d", first.Status, s.Key, http.StatusAccepted)
	case s.Key == nil:
		t.Fatalf("%d, key %+v, want key set", first.Status, s.Key)
	case !s.Key.Expires.Equal(s.Inv.Accepted.Add(time.Hour)):
		t.Fatalf("%d, key %+v, want expires %v", first.Status, s.Key, s.Inv.Accepted.Add(time.Hour))
	}
	if q, _ := apitest.Decoded(t, s.Raw); q.Header.Get("Idempotency-Key") != "k" {
		t.Errorf(`the function does not see the key: got Idempotency-Key %v, want "k"`, q.Header.Get("Idempotency-Key"))
	}
	tests := []struct {
		name, path, body, contentType string
		status                        int
		taken                         bool
	}{
		{"the same", "/async-function/f/p?q=1", "body", "text/plain", 202, false},
		{"the other form of the name", "/async-function/f.openfaas-fn/p?q=1", "body", "text/plain", 202, false},
		{"another body", "/async-function/f/p?q=1", "bodY", "text/plain", 422, false},
		{"another path", "/async-function/f/pp?q=1", "body", "text/plain", 422, false},
		{"another query", "/async-function/f/p?q=2", "body", "text/plain", 422, false},
		{"another content type", "/async-function/f/p?q=1", "body", "text/html", 422, false},
		{"a boundary moved", "/async-function/f/p?q=1t", "body", "ext/plain", 422, false},
		{"another function", "/async-function/g/p?q=1", "body", "text/plain", 202, true},
	}
	for _, tt := range tests {
		got := r.Post(t, tt.path, tt.body, "Idempotency-Key", "k", "Content-Type", tt.contentType, "X-Call-Id", "second")
		if got.Status != tt.status {
			t.Errorf("%s: %d %s, want %v", tt.name, got.Status, got.Body, tt.status)
		}
		switch {
		case tt.taken:
			r.Accepts.Only(t)
		case tt.status == 202 && (got.Header.Get("X-Call-Id") != "first" || got.Header.Get("X-Invocation-Id") != s.Inv.ID.String()):
			t.Errorf("%s: header %v", tt.name, got.Header)
		case tt.status == 422 && (got.ReasonOf(t) != wire.KeyReused || got.Header.Get("X-Invocation-Id") != ""):
			t.Errorf("%s: %s", tt.name, got.Body)
		}
	}
	if r.Accepts.Count() != 0 {
		t.Errorf("something ran twice: got accepts %v, want 0", r.Accepts.Count())
	}
}

func TestAnIdempotencyKeyBelongsToItsSender(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	send := func(header ...string) apitest.Answer {
		return r.Post(t, "/async-function/f", "body", append(header, "Idempotency-Key", "k")...)
	}
	mine := []string{"X-Callback-Url", "http://mine/", "Authorization", "Bearer mine", "Cookie", "a=b", "X-Api-Key", "mine"}
	first := send(append(mine, "X-Call-Id", "first")...)
	if first.Status != http.StatusAccepted {
		t.Fatalf("%d %s, want %d", first.Status, first.Body, http.StatusAccepted)
	}
	id := r.Accepts.Only(t).Inv.ID.String()
	tests := []struct {
		name   string
		change []string // name, value; "" leaves the field out
		status int
	}{
		{"the same", nil, 202},
		{"fields that say nothing of the sender", []string{"User-Agent", "other", "Traceparent", "x", "X-Hub-Signature-256", "t=1"}, 202},
		{"another callback", []string{"X-Callback-Url", "http://theirs/"}, 422},
		{"no callback", []string{"X-Callback-Url", ""}, 422},
		{"another token", []string{"Authorization", "Bearer theirs"}, 422},
		{"no token", []string{"Authorization", ""}, 422},
		{"another cookie", []string{"Cookie", "a=c"}, 422},
		{"another API key", []string{"X-Api-Key", "theirs"}, 422},
		{"a value that moved to another field", []string{"Authorization", "mine", "X-Api-Key", "Bearer mine"}, 422},
	}
	for _, tt := range tests {
		h := map[string]string{}
		for _, list := range [][]string{mine, tt.change} {
			for n := 0; n < len(list); n += 2 {
				h[list[n]] = list[n+1]
			}
		}
		var fields []string
		for name, value := range h {
			if value != "" {
				fields = append(fields, name, value)
			}
		}
		got := send(fields...)
		if got.Status != tt.status {
			t.Errorf("%s: got %d %s, want %d", tt.name, got.Status, got.Body, tt.status)
		}
		if shown := got.Body + fmt.Sprint(got.Header); tt.status == 422 && (strings.Contains(shown, id) || strings.Contains(shown, "first")) {
			t.Errorf("%s: got an answer with the other's invocation: %s", tt.name, shown)
		}
	}
	if n := r.Accepts.Count(); n != 0 {
		t.Errorf("taken: got %d more, want 0", n)
	}
}

func TestWithoutAWindowKeysMeanNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *apitest.Options) { o.Ingest.Window = 0 })
	for range 2 {
		if got := r.Post(t, "/async-function/f", "", "Idempotency-Key", "k"); got.Status != http.StatusAccepted {
			t.Fatalf("%d %s, want %d", got.Status, got.Body, http.StatusAccepted)
		}
		if s := r.Accepts.Only(t); s.Key != nil {
			t.Errorf("there is a key: got key %v, want nil", s.Key)
		}
	}
}
