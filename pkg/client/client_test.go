package client

// What a worker does not do, and what stands between it and us may: the answers of
// proxies, cut streams, silence. What a worker does is tested against one, in e2e.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"queue-worker/pkg/wire"
)

// serving is a client of a handler.
func serving(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return clientOf(t, s.URL)
}

func clientOf(t *testing.T, server string) *Client {
	t.Helper()
	c, err := New(Options{Server: server, User: "admin", Password: "hunter2", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// answering is a handler that always says the same.
func answering(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const jsonType = "application/json; charset=utf-8"

func asError(t *testing.T, err error) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("the error is %T %v: ok = false, want true", err, err)
	}
	return e
}

func TestAnAnswerThatIsNoneOfAWorkersIsSaidToBe(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		h      http.HandlerFunc
		reason wire.Reason
		text   string // a part of it
		hint   string
	}{
		{"the page of a proxy, as a success", answering(200, "text/html", "<html>login</html>"), ReasonForeign, "200 with text/html", "--server"},
		{"the page of a proxy, as an error", answering(502, "text/html", "<html>bad gateway</html>"), ReasonForeign, "502 with text/html", "--server"},
		{"a 401 that no worker gives", answering(401, "text/plain", "no"), ReasonForeign, "401", "credentials of the proxy"},
		{"JSON of something else", answering(500, jsonType, `{"message":"oops"}`), ReasonForeign, "500", "--server"},
		{"no JSON after all", answering(200, jsonType, `<html>`), ReasonForeign, "200", "--server"},
		{"JSON of another type", answering(200, jsonType, `{"groups":7}`), ReasonForeign, "200", "--server"},
		{"no type", answering(200, "", "x"), ReasonForeign, "an unknown type", "--server"},
		{"nothing with a status", answering(503, "", ""), ReasonForeign, "503", "--server"},
		{"a problem", answering(409, jsonType, `{"error":"not so","reason":"over","hint":"plan again"}`), "over", "not so", "plan again"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := serving(t, tt.h).Groups(t.Context(), Filter{})
			e := asError(t, err)
			switch {
			case e.Reason != tt.reason:
				t.Errorf("the error is %+v, want Reason %q", e, tt.reason)
			case !strings.Contains(e.Text, tt.text):
				t.Errorf("the error is %+v, want Text %q in it", e, tt.text)
			case !strings.Contains(e.Hint, tt.hint):
				t.Errorf("the error is %+v, want Hint %q in it", e, tt.hint)
			}
			if lines := strings.Count(e.Error(), "\n"); lines != 1 {
				t.Errorf("the text has %d line ends: %q, want 1", lines, e)
			}
		})
	}
}

func TestRedirectsAreRefusedAndCredentialsStay(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		c := serving(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, strings.Replace(other.URL, "http://", "http://user:secret@", 1)+"/v1/jobs?token=secret", status)
		})
		_, err := c.Apply(t.Context(), "x")
		e := asError(t, err)
		switch {
		case e.Reason != ReasonRedirect:
			t.Errorf("%d: %v, want Reason %q", status, e, ReasonRedirect)
		case strings.Contains(e.Error(), "secret"):
			t.Errorf("%d: %v: e.Error() = %q, want no \"secret\" in it", status, e, e.Error())
		case !strings.Contains(e.Text, "/v1/jobs"):
			t.Errorf("%d: %v, want Text \"/v1/jobs\" in it", status, e)
		}
		if err := exporting(t, c, io.Discard); asError(t, err).Reason != ReasonRedirect {
			t.Errorf("%d: the export says %v, want reason %v", status, err, ReasonRedirect)
		}
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere, want 0", n)
	}
}

func exporting(t *testing.T, c *Client, w io.Writer) error {
	t.Helper()
	_, err := c.Export(t.Context(), Filter{}, w, nil)
	return err
}

func TestSilenceEnds(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	c := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "export") {
			w.Header().Set("Content-Type", wire.MediaLines)
			_, _ = io.WriteString(w, "{}\n{")
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	c.timeout, c.idle = time.Second, time.Second
	_, err := c.Job(t.Context(), "x")
	switch e := asError(t, err); {
	case e.Reason != ReasonTimeout:
		t.Errorf("without an answer: %v, want Reason %q", e, ReasonTimeout)
	case !IsPassing(err):
		t.Errorf("without an answer: %v: IsPassing(err) = false, want true", e)
	}
	var got bytes.Buffer
	switch err := exporting(t, c, &got); {
	case asError(t, err).Reason != ReasonTimeout:
		t.Errorf("in the middle of a stream: %v, %q, want reason %v", err, &got, ReasonTimeout)
	case got.String() != "{}\n":
		t.Errorf(`in the middle of a stream: %v, %q, want "{}\n"`, err, &got)
	}
	if _, err := c.Ready(t.Context()); asError(t, err).Reason != ReasonTimeout {
		t.Errorf("ready: %v, want reason %v", err, ReasonTimeout)
	}
}

func TestTheCallersEndIsTheCallersError(t *testing.T) {
	t.Parallel()
	c := serving(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := c.Invocation(ctx, "x", time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, want %v", err, context.Canceled)
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(nil)
	c := clientOf(t, s.URL)
	s.Close()
	_, err := c.Function(t.Context(), "figlet")
	e := asError(t, err)
	switch {
	case e.Reason != ReasonUnreachable:
		t.Errorf("the error is %v, want Reason %q", e, ReasonUnreachable)
	case !IsPassing(err):
		t.Errorf("the error is %v: IsPassing(err) = false, want true", e)
	case !strings.Contains(e.Hint, "port-forward"):
		t.Errorf("the error is %v, want Hint \"port-forward\" in it", e)
	case strings.Contains(e.Text, "/v1/functions"):
		t.Errorf("the error is %v, want Text no \"/v1/functions\" in it", e)
	}
}

func TestAnAnswerThatIsCutOff(t *testing.T) {
	t.Parallel()
	c := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", jsonType)
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"groups":[`)
	})
	if _, err := c.Groups(t.Context(), Filter{}); asError(t, err).Reason != ReasonCut {
		t.Errorf("the error is %v, want reason %v", err, ReasonCut)
	}
}

// A page that has nothing leads on all the same.
func TestListingsGoOnOverEmptyPages(t *testing.T) {
	t.Parallel()
	var asked []string
	c := serving(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		pages := map[string]string{
			"":    `{"messages":[{"id":"1"}],"next":"a b"}`,
			"a b": `{"messages":[],"next":"c"}`, "c": `{"messages":[],"next":"d"}`, "d": `{"messages":[{"id":"2"},{"id":"3"}]}`,
		}
		answering(200, jsonType, pages[r.URL.Query().Get("cursor")])(w, r)
	})
	var ids []string
	for page, err := range c.Letters(t.Context(), Filter{Function: "fn"}, 3) {
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Letters {
			ids = append(ids, l.ID)
		}
	}
	if fmt.Sprint(ids) != "[1 2 3]" {
		t.Errorf("the ids are %v: fmt.Sprint(ids) = %q, want \"[1 2 3]\"", ids, fmt.Sprint(ids))
	}
	want := "[function=fn&limit=3 cursor=a+b&function=fn&limit=2 cursor=c&function=fn&limit=2 cursor=d&function=fn&limit=2]"
	if fmt.Sprint(asked) != want {
		t.Errorf("asked was %v: fmt.Sprint(asked) = %q, want %q", asked, fmt.Sprint(asked), want)
	}
}

func TestAListingThatLeadsToItselfEnds(t *testing.T) {
	t.Parallel()
	c := serving(t, answering(200, jsonType, `{"invocations":[],"next":"again"}`))
	var last error
	for _, err := range c.Pending(t.Context(), PendingFilter{}, 0) {
		last = err
	}
	if asError(t, last).Reason != ReasonForeign {
		t.Errorf("the error is %v, want reason %v", last, ReasonForeign)
	}
}

func TestAHeaderMarksAResult(t *testing.T) {
	t.Parallel()
	c := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "function") {
			w.Header().Set(wire.HeaderOutcome, "dead")
		}
		answering(404, jsonType, `{"error":"of whom?","reason":"not_found","hint":"look"}`)(w, r)
	})
	result, err := c.Result(t.Context(), "function")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(result.Body)
	switch {
	case err != nil:
		t.Errorf("%v, want nil", err)
	case result.Status != 404:
		t.Errorf("the result is %+v, %q, %v, want Status 404", result, body, err)
	case result.Outcome != "dead":
		t.Errorf("the result is %+v, %q, %v, want Outcome \"dead\"", result, body, err)
	case !strings.Contains(string(body), "of whom?"):
		t.Errorf("the result is %+v, %q, %v: string(body) = %q, want \"of whom?\" in it", result, body, err, string(body))
	}
	if err := result.Body.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Result(t.Context(), "worker"); !IsNotFound(err) {
		t.Errorf("the error is %v: IsNotFound(err) = false, want true", err)
	}
}

func TestReadyReturnsReasons(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		h    http.HandlerFunc
		want string
	}{
		{"ready", answering(200, "text/plain", "ok"), "[] <nil>"},
		{"not ready", answering(503, jsonType, `{"error":"not ready","reason":"not_ready","hint":"","reasons":["a","b"]}`), "[a b] <nil>"},
		{"shutting down", answering(503, jsonType, `{"error":"closing","reason":"busy","hint":""}`), "[closing] <nil>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reasons, err := serving(t, tt.h).Ready(t.Context())
			if got := fmt.Sprint(reasons, err); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	if _, err := serving(t, answering(503, "text/html", "<html>")).Ready(t.Context()); asError(t, err).Reason != ReasonForeign {
		t.Errorf("a proxy: %v, want reason %v", err, ReasonForeign)
	}
}

func TestTheServersAddress(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"http://127.0.0.1:8081", "http://127.0.0.1:8081"},
		{"127.0.0.1:8081", "http://127.0.0.1:8081"},
		{"https://example.com/workers/a/", "https://example.com/workers/a"},
		{"[::1]:8081", "http://[::1]:8081"},
		{"", ""}, {"http://", ""}, {"ftp://a", ""}, {"http://u:hunter2@a", ""}, {"http://a?x=hunter2", ""}, {"http://a b", ""}, {"http://:8081", ""},
	}
	for _, tt := range tests {
		c, err := New(Options{Server: tt.in})
		switch {
		case err != nil && (tt.want != "" || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%q: %v", tt.in, err)
		case err == nil && c.Server() != tt.want:
			t.Errorf("%q is read as %q", tt.in, c.Server())
		}
	}
}

// Names of functions and ids are typed by operators: they are one segment of the path.
func TestNamesCannotLeaveTheirPlaceInThePath(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		got <- r.Method + " " + r.RequestURI + " " + user + ":" + password
		answering(200, jsonType, `{}`)(w, r)
	}))
	t.Cleanup(s.Close)
	c := clientOf(t, s.URL+"/pre%2Ffix")
	for name, want := range map[string]string{
		"../../jobs":  "GET /pre%2Ffix/v1/functions/..%2F..%2Fjobs/policy admin:hunter2",
		"a?b#c":       "GET /pre%2Ffix/v1/functions/a%3Fb%23c/policy admin:hunter2",
		"url:h:80":    "GET /pre%2Ffix/v1/functions/url:h:80/policy admin:hunter2",
		"..":          "GET /pre%2Ffix/v1/functions/%2E%2E/policy admin:hunter2",
		".":           "GET /pre%2Ffix/v1/functions/%2E/policy admin:hunter2",
		"//":          "GET /pre%2Ffix/v1/functions/%2F%2F/policy admin:hunter2",
		"fn.name%2Fs": "GET /pre%2Ffix/v1/functions/fn.name%252Fs/policy admin:hunter2",
	} {
		if _, err := c.Policy(t.Context(), name, ""); err != nil {
			t.Fatal(err)
		}
		if asked := <-got; asked != want {
			t.Errorf("%q: got %q, want %q", name, asked, want)
		}
	}
}
