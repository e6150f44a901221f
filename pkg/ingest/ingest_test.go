package ingest_test

// What holds on all paths that take work in.

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/ingest"
	"queue-worker/pkg/intake"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// intakes are the paths that take work in, each with a good body.
var intakes = map[string]string{
	"/async-function/f": "x", "/async-function/f/path": "x", "/deadletter/f": "x",
	"/queue/producer": `{"message":"hello","callback_url":"http://cb/"}`, "/queue/producer/": `{"message":"hello","callback_url":"http://cb/"}`,
}

func TestWhyNothingIsTakenIsReportedWith503(t *testing.T) {
	t.Parallel()
	accepting := func(accept, full, failed error) func(*rig) {
		return func(r *rig) { r.Accepts.Refuse(accept, full, failed) }
	}
	publishing := func(err error) func(*rig) { return func(r *rig) { r.Queue.Err = err } }
	tests := []struct {
		name    string
		edit    func(*apitest.Options)
		prepare func(*rig)
		status  int
		reason  wire.Reason
	}{
		{"draining", func(o *apitest.Options) { o.Ingest.Draining = func() bool { return true } }, nil, 503, wire.Busy},
		{"the store is full", nil, accepting(nil, errors.New("store holds 9 bytes, store_max_bytes is 8"), nil), 503, wire.StoreFull},
		{"no connection", apitest.Temporary, func(r *rig) { r.Queue.NotReady, r.Queue.Away = errors.New("nats"), true }, 503, wire.NotConnected},
		{"the intake is paused", apitest.Temporary, func(r *rig) { r.Queue.NotReady = errors.New("intake paused") }, 503, wire.StoreFull},
		{"the store has failed", nil, accepting(nil, nil, store.ErrFailed), 503, wire.Unhealthy},
		{"full in the last moment", apitest.Temporary, publishing(intake.ErrNoRoom), 503, wire.StoreFull},
		{"gone in the last moment", apitest.Temporary, publishing(intake.ErrNotConnected), 503, wire.NotConnected},
		{"closed in the last moment", nil, accepting(store.ErrClosed, nil, nil), 503, wire.Busy},
		{"the outcome is unknown", apitest.Temporary, publishing(errors.New("timeout")), 503, wire.Stalled},
		{"larger than the limit of the queue", apitest.Temporary, publishing(intake.ErrTooLarge), 413, wire.TooLarge},
		{"a mistake of ours", nil, accepting(errors.New("CANARY"), nil, nil), 500, wire.Internal},
	}
	for _, tt := range tests {
		r := newRig(t, func(o *apitest.Options) {
			if tt.edit != nil {
				tt.edit(o)
			}
		})
		if tt.prepare != nil {
			tt.prepare(r)
		}
		for path, body := range intakes {
			got := r.Post(t, path, body)
			switch {
			case got.Status != tt.status:
				t.Errorf("%s: %s answers %d %s, want status %v", tt.name, path, got.Status, got.Body, tt.status)
			case strings.Contains(got.Body, "CANARY"):
				t.Errorf(`%s: %s answers %d %s, want no "CANARY" in it`, tt.name, path, got.Status, got.Body)
			}
			if tt.status == 503 && got.Header.Get("Retry-After") == "" {
				t.Errorf("%s: %s answers without Retry-After, want Retry-After not empty", tt.name, path)
			}
			if got.Header.Get("X-Invocation-Id") != "" {
				t.Errorf("%s: %s answers with an id: got X-Invocation-Id %v, want empty", tt.name, path, got.Header.Get("X-Invocation-Id"))
			}
			if !strings.HasPrefix(path, "/deadletter") && got.ReasonOf(t) != tt.reason {
				t.Errorf("%s: %s answers %s", tt.name, path, got.Body)
			}
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	fits, exceeds := strings.Repeat("a", 64<<10), strings.Repeat("a", 64<<10+1)
	order := func(body string) string {
		return strings.Replace(body, strings.Repeat("a", 50), `{"message":"","callback_url":"http://cb/"}        `, 1)
	}
	for path := range intakes {
		for name, announced := range map[string]bool{"announced": true, "chunked": false} {
			send := func(body string) apitest.Answer {
				if strings.HasPrefix(path, "/queue") {
					body = strings.ReplaceAll(order(body), "a", " ")
					body = strings.Replace(strings.Replace(body, "mess ge", "message", 1), "c llb ck", "callback", 1)
				}
				return r.Ask(t, http.MethodPost, path, func(req *http.Request) {
					apitest.Carrying(body)(req)
					if !announced {
						req.ContentLength = -1
					}
				})
			}
			if got := send(fits); got.Status != http.StatusAccepted {
				t.Errorf("%s, %s: the largest answers %d %s, want %d", path, name, got.Status, got.Body, http.StatusAccepted)
			} else if !strings.HasPrefix(path, "/queue") {
				if _, body := apitest.Decoded(t, r.Accepts.Only(t).Raw); body != fits {
					t.Errorf("%s, %s: the body has changed: got %v, want %v", path, name, body, fits)
				}
			} else {
				r.Accepts.Only(t)
			}
			if got := send(exceeds); got.Status != http.StatusRequestEntityTooLarge {
				t.Errorf("%s, %s: one more byte answers %d %s, want %d", path, name, got.Status, got.Body, http.StatusRequestEntityTooLarge)
			}
			if n := r.Accepts.Count(); n != 0 {
				t.Errorf("%s, %s: what is too large is taken: got %v, want 0", path, name, n)
			}
		}
	}
	r.Ingest.WantEmpty(t)
}

func TestOnlyPOSTTakesWorkIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for path := range intakes {
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "OPTIONS"} {
			got := r.Ask(t, method, path, apitest.Carrying("x"))
			switch {
			case got.Status != http.StatusMethodNotAllowed:
				t.Errorf("%s %s answers %d, Allow %q, want status %d", method, path, got.Status, got.Header.Get("Allow"), http.StatusMethodNotAllowed)
			case !strings.Contains(got.Header.Get("Allow"), "POST"):
				t.Errorf(`%s %s answers %d, Allow %q, want "POST" in it`, method, path, got.Status, got.Header.Get("Allow"))
			}
		}
	}
	if r.Accepts.Count() != 0 {
		t.Errorf("something was taken: got accepts %v, want 0", r.Accepts.Count())
	}
}

func TestTheMailboxAnswersWithText(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, tt := range []struct {
		method, path string
		header       []string
		status       int
	}{
		{"GET", "/deadletter/f", nil, 405},
		{"POST", "/deadletter/", nil, 404},
		{"POST", "/deadletter", nil, 404},
		{"POST", "/deadletter/a/b", nil, 404},
		{"POST", "/deadletter/a%20b", nil, 400},
		{"POST", "/deadletter/x%3Fq=1", nil, 400},
		{"POST", "/deadletter/f", []string{"X-Retries", "x"}, 400},
		{"POST", "/deadletter/f", []string{"Sec-Fetch-Site", "cross-site"}, 403},
	} {
		got := r.Ask(t, tt.method, tt.path, apitest.Carrying("x"), func(req *http.Request) {
			for i := 0; i+1 < len(tt.header); i += 2 {
				req.Header.Set(tt.header[i], tt.header[i+1])
			}
		})
		switch {
		case got.Status != tt.status:
			t.Errorf("%s %s answers %d %v %q, want status %v", tt.method, tt.path, got.Status, got.Header, got.Body, tt.status)
		case len(got.Body) < 10:
			t.Errorf("%s %s answers %d %v %q, want at least 10", tt.method, tt.path, got.Status, got.Header, got.Body)
		case strings.HasPrefix(got.Body, "{"):
			t.Errorf(`%s %s answers %d %v %q, want no "{" at its beginning`, tt.method, tt.path, got.Status, got.Header, got.Body)
		case got.Header.Get("Content-Type") != respond.ContentText:
			t.Errorf("%s %s answers %d %v %q, want Content-Type %v", tt.method, tt.path, got.Status, got.Header, got.Body, respond.ContentText)
		}
	}
	if r.Accepts.Count() != 0 {
		t.Errorf("something was taken: got accepts %v, want 0", r.Accepts.Count())
	}
}

func TestWorkIsTakenFromEverybodyUnlessIngestAuthIsOn(t *testing.T) {
	t.Parallel()
	elsewhere := func(r *http.Request) {
		r.Host = "worker.example"
		r.Header.Set("X-Forwarded-For", "10.0.0.1")
	}
	for name, edit := range map[string]func(*apitest.Options){"basic_auth": apitest.WithBasicAuth(t), "neither": func(*apitest.Options) {}} {
		r := newRig(t, edit)
		for path, body := range intakes {
			if got := r.Ask(t, http.MethodPost, path, apitest.Carrying(body), elsewhere); got.Status != http.StatusAccepted {
				t.Errorf("%s: %s answers %d %s, want %d", name, path, got.Status, got.Body, http.StatusAccepted)
			} else {
				r.Accepts.Only(t)
			}
		}
	}
	withSecret := apitest.WithBasicAuth(t)
	for name, edit := range map[string]func(*apitest.Options){
		"basic_auth and ingest_auth": func(o *apitest.Options) { withSecret(o); o.API.IngestAuth = true },
		"ingest_auth alone":          func(o *apitest.Options) { withSecret(o); o.API.BasicAuth, o.API.IngestAuth = false, true },
	} {
		r := newRig(t, edit)
		for path, body := range intakes {
			for _, wrong := range []func(*http.Request){func(*http.Request) {}, apitest.As(apitest.TestUser, "wrong"), apitest.As("", "")} {
				got := r.Ask(t, http.MethodPost, path, apitest.Carrying(body), wrong)
				switch {
				case got.Status != http.StatusUnauthorized:
					t.Errorf("%s: %s without credentials answers %d %s, want status %d", name, path, got.Status, got.Body, http.StatusUnauthorized)
				case got.Header.Get("WWW-Authenticate") == "":
					t.Errorf("%s: %s without credentials answers %d %s, want WWW-Authenticate not empty", name, path, got.Status, got.Body)
				}
			}
			if got := r.Ask(t, http.MethodPost, path, apitest.Carrying(body), elsewhere, apitest.As(apitest.TestUser, apitest.TestPassword)); got.Status != http.StatusAccepted {
				t.Errorf("%s: %s answers %d %s, want %d", name, path, got.Status, got.Body, http.StatusAccepted)
				continue
			}
			if s := r.Accepts.Only(t); strings.Contains(string(s.Raw), "Authorization") {
				t.Errorf(`%s: %s passes our credentials on to the function: got %q, want no "Authorization" in it`, name, path, string(s.Raw))
			}
		}
	}
}

// deadlines is an answer that notes until when its request may be read and written.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error  { d.read = t; return nil }
func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

func TestABodyIsGivenMoreTimeThanOtherRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	before := time.Now()
	r.Handler.ServeHTTP(w, apitest.Arriving("POST /async-function/f"))
	switch read, write := w.read.Sub(before), w.write.Sub(before); {
	case read < ingest.BodyTimeout:
		t.Errorf("it may be read for %s and answered for %s, want read at least %v", read, write, ingest.BodyTimeout)
	case write < read+ingest.TakeTimeout:
		t.Errorf("it may be read for %s and answered for %s, want write at least %v", read, write, read+ingest.TakeTimeout)
	}
	r.Accepts.Only(t)
	r.Accepts.Refuse(nil, errors.New("no room"), nil) // a request that is refused has no body to send
	w = &deadlines{ResponseRecorder: httptest.NewRecorder()}
	r.Handler.ServeHTTP(w, apitest.Arriving("POST /async-function/f"))
	if !w.read.IsZero() {
		t.Error("a request that is refused gets more time all the same, want read zero")
	}
}

// TestWhoIsRefusedSendsItsBodyFirst: a client that still sends when its connection
// is closed sees a broken pipe, and not why.
func TestWhoIsRefusedSendsItsBodyFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Accepts.Refuse(nil, errors.New("no room"), nil) // a request that is refused has no body to send
	for path := range intakes {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", strings.TrimPrefix(r.Base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			write := func(s string) {
				if _, err := io.WriteString(c, s); err != nil {
					t.Fatal(err)
				}
			}
			write("POST " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhello")
			_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond)) // an early answer takes one
			switch n, err := c.Read(make([]byte, 1)); {
			case n > 0:
				t.Fatalf("it is answered before its body has come (%v): got %v, want at most 0", err, n)
			case !errors.Is(err, os.ErrDeadlineExceeded):
				t.Fatalf("it is answered before its body has come (%v), want %v", err, os.ErrDeadlineExceeded)
			}
			write("world")
			_ = c.SetReadDeadline(time.Time{})
			switch b, err := io.ReadAll(c); {
			case err != nil:
				t.Errorf("the answer is %s, %v, want no error", b, err)
			case !strings.HasPrefix(string(b), "HTTP/1.1 503 "):
				t.Errorf(`the answer is %s, %v, want "HTTP/1.1 503 " at its beginning`, b, err)
			}
		})
	}
}
