package dev

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// startChaos serves a chaos function alone.
func startChaos(t *testing.T) *url.URL {
	t.Helper()
	s := httptest.NewServer(NewChaos(discard()))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestChaosSet(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		set    []string
		status int    // of the last set
		want   string // what GET /get answers afterwards
	}{
		{"it begins with 200, no body and no delay", nil, 0, `{"status":200,"body":"","delay":"0s"}`},
		{"everything at once", []string{`{"status":500,"delay":"1s","body":"b"}`}, 202, `{"status":500,"body":"b","delay":"1s"}`},
		{"what is left out stays", []string{`{"status":429,"body":"b"}`, `{"delay":"5m"}`}, 202, `{"status":429,"body":"b","delay":"5m0s"}`},
		{"a number as delay is nanoseconds", []string{`{"delay":1500000}`}, 202, `{"status":200,"body":"","delay":"1.5ms"}`},
		{"a negative delay is kept", []string{`{"delay":"-1s"}`}, 202, `{"status":200,"body":"","delay":"-1s"}`},
		{"a delay without unit is refused", []string{`{"status":500,"delay":"5"}`}, 500, `{"status":200,"body":"","delay":"0s"}`},
		{"a delay beyond any time is refused", []string{`{"delay":1e300}`}, 500, `{"status":200,"body":"","delay":"0s"}`},
		{"a delay that is a list is refused", []string{`{"delay":[1]}`}, 500, `{"status":200,"body":"","delay":"0s"}`},
		{"a status that is text is refused", []string{`{"status":"500"}`}, 500, `{"status":200,"body":"","delay":"0s"}`},
		{"no JSON is refused", []string{`{"status":500`}, 500, `{"status":200,"body":"","delay":"0s"}`},
		{"an empty body is refused", []string{``}, 500, `{"status":200,"body":"","delay":"0s"}`},
		{"a body above 1 MiB is refused", []string{`{"body":"` + strings.Repeat("x", maxSetBody) + `"}`}, 500, `{"status":200,"body":"","delay":"0s"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			at := startChaos(t)
			status := 0
			for _, s := range tt.set {
				status = must(t, http.MethodPost, at, "/set", s).status
			}
			if status != tt.status {
				t.Errorf("set answers %d, want %d", status, tt.status)
			}
			got := must(t, http.MethodGet, at, "/get", "")
			if got.body != tt.want || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") {
				t.Errorf("get answers %s as %s, want %s", got.body, got.header.Get("Content-Type"), tt.want)
			}
		})
	}
}

func TestChaosAnswersEveryOtherRequest(t *testing.T) {
	t.Parallel()
	at := startChaos(t)
	must(t, http.MethodPost, at, "/set", `{"status":418,"body":"short and stout"}`)
	for _, r := range []struct{ method, path string }{
		{http.MethodPost, "/"},
		{http.MethodGet, "/set"},
		{http.MethodPost, "/set/"},
		{http.MethodPost, "/get"},
		{http.MethodDelete, "/any/where"},
	} {
		got := must(t, r.method, at, r.path, "x")
		switch {
		case got.status != 418:
			t.Errorf("%s %s answers %d %q: got.status = %d, want 418", r.method, r.path, got.status, got.body, got.status)
		case got.body != "short and stout":
			t.Errorf("%s %s answers %d %q: got.body = %q, want \"short and stout\"", r.method, r.path, got.status, got.body, got.body)
		}
	}
}

func TestChaosBreaksTheConnectionForAStatusThatHTTPDoesNotHave(t *testing.T) {
	t.Parallel()
	for _, set := range []string{`{"status":0}`, `{"status":-1}`, `{"status":99}`, `{"status":1000}`} {
		at := startChaos(t)
		must(t, http.MethodPost, at, "/set", set)
		if got, err := do(t, http.MethodPost, at, "/", "x"); err == nil {
			t.Errorf("after %s it answers %d: err = %v, want an error", set, got.status, err)
		}
		if got := must(t, http.MethodPost, at, "/set", `{"status":200}`); got.status != 202 {
			t.Errorf("after %s it cannot be set again: %d, want 202", set, got.status)
		}
	}
}

func TestChaosDelayIsWaitedAndEndsWhenTheCallerGoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := NewChaos(discard())
		c.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/set", strings.NewReader(`{"delay":"1h"}`)))

		begun := time.Now()
		c.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil))
		if d := time.Since(begun); d != time.Hour {
			t.Errorf("answered after %s, want 1h", d)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begun = time.Now()
		c.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil))
		if d := time.Since(begun); d != time.Minute {
			t.Errorf("ended %s after it began, want 1m: the caller went then", d)
		}
	})
}

func TestChaosSeesThatACallerOverTheNetworkHasGone(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "hello"} {
		c := NewChaos(discard())
		c.current.Delay = delay(time.Hour)
		entered, ended := make(chan struct{}), make(chan struct{})
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			c.ServeHTTP(w, r)
			close(ended)
		}))
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			<-entered
			cancel()
		}()
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			t.Error("it was answered")
		}
		<-ended // or the test never ends
		s.Close()
	}
}

func TestChaosIsSafeUnderConcurrentUse(t *testing.T) {
	t.Parallel()
	at := startChaos(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if _, err := do(t, http.MethodPost, at, "/set", `{"status":201,"body":"b"}`); err != nil {
					t.Error(err)
				}
				if _, err := do(t, http.MethodPost, at, "/", ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
