package ingest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/invocation"
)

func TestWhatTheMailboxMakesOfItsFields(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tests := []struct {
		name    string
		header  []string
		retries int
		terms   invocation.Terms
		dead    bool
	}{
		{"nothing", nil, 1, invocation.Terms{MaxRetries: invocation.Unlimited, Delay: 4 * time.Second}, false},
		{"all three", []string{"X-Retries", "1", "X-Max-Retries", "9", "X-Delay-Duration", "1"}, 2, invocation.Terms{MaxRetries: 9, Delay: time.Second}, false},
		{"no delay", []string{"X-Delay-Duration", "0"}, 1, invocation.Terms{MaxRetries: invocation.Unlimited}, false},
		{"zeros in front", []string{"X-Retries", "007"}, 8, invocation.Terms{MaxRetries: invocation.Unlimited, Delay: 4 * time.Second}, false},
		{"one left", []string{"X-Retries", "2", "X-Max-Retries", "3"}, 3, invocation.Terms{MaxRetries: 3, Delay: 4 * time.Second}, false},
		{"none left", []string{"X-Retries", "3", "X-Max-Retries", "3"}, 4, invocation.Terms{MaxRetries: 3, Delay: 4 * time.Second}, true},
		{"none allowed", []string{"X-Max-Retries", "0"}, 1, invocation.Terms{MaxRetries: 0, Delay: 4 * time.Second}, true},
		{"the most there is", []string{"X-Retries", "1000000000", "X-Max-Retries", "1000000000", "X-Delay-Duration", "31622400"}, 1_000_000_001, invocation.Terms{MaxRetries: 1_000_000_000, Delay: 366 * 24 * time.Hour}, true},
	}
	for _, tt := range tests {
		got := r.Post(t, "/deadletter/figlet?q=1", "hi", append(tt.header, "Content-Type", "application/json", "X-Callback-Url", "http://cb/", "X-Call-Id", "c", "X-Max-Age", "1", "Idempotency-Key", "k")...)
		switch {
		case got.Status != http.StatusAccepted:
			t.Errorf("%s: %d %q, want status %d", tt.name, got.Status, got.Body, http.StatusAccepted)
			continue
		case got.Body != "":
			t.Errorf("%s: %d %q, want body empty", tt.name, got.Status, got.Body)
			continue
		}
		s := r.Accepts.Only(t)
		tt.terms.Source = invocation.SourceMailbox
		want := &invocation.Invocation{
			ID: s.Inv.ID, CallID: "c", Function: "figlet", Lane: invocation.Lane{Queue: "faas-request", Name: "figlet"},
			Accepted: s.Inv.Accepted, Since: s.Inv.Accepted.Add(tt.terms.Delay), Retries: tt.retries, Terms: &tt.terms,
		}
		if tt.dead {
			want.Bury(invocation.AttemptsExhausted, invocation.CameExhausted, s.Inv.Accepted)
		}
		if d := cmp.Diff(want, s.Inv); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		if s.Key != nil {
			t.Errorf("%s: a mailbox's call is delivered as often as it is posted, but it has a key: got key %v, want nil", tt.name, s.Key)
		}
		q, body := apitest.Decoded(t, s.Raw)
		switch {
		case body != "hi":
			t.Errorf(`%s: it is %+v with %q, want "hi"`, tt.name, q, body)
		case q.Path != "":
			t.Errorf("%s: it is %+v with %q, want path empty", tt.name, q, body)
		case q.QueryString != "q=1":
			t.Errorf(`%s: it is %+v with %q, want QueryString "q=1"`, tt.name, q, body)
		case q.CallbackURL != "http://cb/":
			t.Errorf(`%s: it is %+v with %q, want CallbackURL "http://cb/"`, tt.name, q, body)
		case q.Header.Get("Content-Type") != "application/json":
			t.Errorf(`%s: it is %+v with %q, want Content-Type "application/json"`, tt.name, q, body)
		case q.Header.Get("X-Max-Age") != "1":
			t.Errorf(`%s: it is %+v with %q, want X-Max-Age "1"`, tt.name, q, body)
		}
	}
}

func TestBadFieldsOfTheMailboxAreNamed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, name := range []string{"X-Retries", "X-Max-Retries", "X-Delay-Duration"} {
		for _, value := range []string{"", "soon", "1.5", "-5", "+5", "0x10", "1e3", "1_000", "5s", "٣", "1000000001000", "99999999999999999999", "9223372036854775807", "18446744073709551616"} {
			got := r.Post(t, "/deadletter/f", "x", name, value)
			switch {
			case got.Status != http.StatusBadRequest:
				t.Errorf("%s: %q answers %d %s, want status %d", name, value, got.Status, got.Body, http.StatusBadRequest)
			case !strings.Contains(got.Body, name):
				t.Errorf("%s: %q answers %d %s, want it", name, value, got.Status, got.Body)
			}
		}
		switch got := r.Post(t, "/deadletter/f", "x", name, "1", name, "1"); {
		case got.Status != http.StatusBadRequest:
			t.Errorf("%s twice answers %d %s, want status %d", name, got.Status, got.Body, http.StatusBadRequest)
		case !strings.Contains(got.Body, name):
			t.Errorf("%s twice answers %d %s, want it", name, got.Status, got.Body)
		}
	}
	switch got := r.Post(t, "/deadletter/f", "x", "X-Callback-Url", "http://[::1"); {
	case got.Status != http.StatusBadRequest:
		t.Errorf("a callback that is no URL answers %d %s, want status %d", got.Status, got.Body, http.StatusBadRequest)
	case !strings.Contains(got.Body, "X-Callback-Url"):
		t.Errorf(`a callback that is no URL answers %d %s, want "X-Callback-Url" in it`, got.Status, got.Body)
	}
	if r.Accepts.Count() != 0 {
		t.Errorf("something was taken: got accepts %v, want 0", r.Accepts.Count())
	}
}
