package api

// What holds on all paths that take work in.

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"queue-worker/pkg/store"
)

// intakes are the paths that take work in, each with a good body.
var intakes = map[string]string{
	"/async-function/f": "x", "/async-function/f/path": "x", "/deadletter/f": "x",
	"/queue/producer": `{"message":"hello","callback_url":"http://cb/"}`, "/queue/producer/": `{"message":"hello","callback_url":"http://cb/"}`,
}

func TestWhyNothingIsTakenIsReportedWith503(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		open, err error
		status    int
		reason    reason
	}{
		{"draining", ErrDraining, nil, 503, busy},
		{"the store is full", fmt.Errorf("%w: %w", ErrFull, errors.New("store holds 9 bytes, store_max_bytes is 8")), nil, 503, storeFull},
		{"no connection", fmt.Errorf("%w: nats", ErrNotConnected), nil, 503, notConnected},
		{"the store has failed", store.ErrFailed, nil, 503, unhealthy},
		{"full in the last moment", nil, ErrFull, 503, storeFull},
		{"gone in the last moment", nil, ErrNotConnected, 503, notConnected},
		{"closed in the last moment", nil, store.ErrClosed, 503, busy},
		{"the outcome is unknown", nil, fmt.Errorf("%w: timeout", ErrUnsure), 503, stalled},
		{"larger than the limit of the queue", nil, ErrTooLarge, 413, tooLarge},
		{"a mistake of ours", nil, errors.New("CANARY"), 500, internal},
	}
	for _, tt := range tests {
		r, k := newIngestRig(t)
		k.open, k.err = tt.open, tt.err
		for path, body := range intakes {
			got := r.post(t, path, body)
			if got.status != tt.status || strings.Contains(got.body, "CANARY") {
				t.Errorf("%s: %s answers %d %s", tt.name, path, got.status, got.body)
			}
			if tt.status == 503 && got.header.Get("Retry-After") == "" {
				t.Errorf("%s: %s answers without Retry-After", tt.name, path)
			}
			if got.header.Get("X-Invocation-Id") != "" {
				t.Errorf("%s: %s answers with an id", tt.name, path)
			}
			if !isMailbox(path) && got.reasonOf(t) != tt.reason {
				t.Errorf("%s: %s answers %s", tt.name, path, got.body)
			}
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	r, k := newIngestRig(t)
	fits, exceeds := strings.Repeat("a", 64<<10), strings.Repeat("a", 64<<10+1)
	order := func(body string) string {
		return strings.Replace(body, strings.Repeat("a", 50), `{"message":"","callback_url":"http://cb/"}        `, 1)
	}
	for path := range intakes {
		for name, announced := range map[string]bool{"announced": true, "chunked": false} {
			send := func(body string) answer {
				if strings.HasPrefix(path, "/queue") {
					body = strings.ReplaceAll(order(body), "a", " ")
					body = strings.Replace(strings.Replace(body, "mess ge", "message", 1), "c llb ck", "callback", 1)
				}
				return r.ask(t, http.MethodPost, path, func(req *http.Request) {
					carrying(body)(req)
					if !announced {
						req.ContentLength = -1
					}
				})
			}
			if got := send(fits); got.status != http.StatusAccepted {
				t.Errorf("%s, %s: the largest answers %d %s", path, name, got.status, got.body)
			} else if !strings.HasPrefix(path, "/queue") {
				if _, body := k.only(t).decoded(t); body != fits {
					t.Errorf("%s, %s: the body has changed", path, name)
				}
			} else {
				k.only(t)
			}
			if got := send(exceeds); got.status != http.StatusRequestEntityTooLarge {
				t.Errorf("%s, %s: one more byte answers %d %s", path, name, got.status, got.body)
			}
			if n := k.count(); n != 0 {
				t.Errorf("%s, %s: what is too large is taken", path, name)
			}
		}
	}
	r.ingest.room.wantEmpty(t)
}

func TestOnlyPOSTTakesWorkIn(t *testing.T) {
	t.Parallel()
	r, k := newIngestRig(t)
	for path := range intakes {
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "OPTIONS"} {
			got := r.ask(t, method, path, carrying("x"))
			if got.status != http.StatusMethodNotAllowed || !strings.Contains(got.header.Get("Allow"), "POST") {
				t.Errorf("%s %s answers %d, Allow %q", method, path, got.status, got.header.Get("Allow"))
			}
		}
	}
	if k.count() != 0 {
		t.Error("something was taken")
	}
}

func TestTheMailboxAnswersWithText(t *testing.T) {
	t.Parallel()
	r, k := newIngestRig(t)
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
		got := r.ask(t, tt.method, tt.path, carrying("x"), func(req *http.Request) {
			for i := 0; i+1 < len(tt.header); i += 2 {
				req.Header.Set(tt.header[i], tt.header[i+1])
			}
		})
		if got.status != tt.status || len(got.body) < 10 || strings.HasPrefix(got.body, "{") || got.header.Get("Content-Type") != contentText {
			t.Errorf("%s %s answers %d %v %q", tt.method, tt.path, got.status, got.header, got.body)
		}
	}
	if k.count() != 0 {
		t.Error("something was taken")
	}
}

func TestWorkIsTakenFromEverybodyUnlessIngestAuthIsOn(t *testing.T) {
	t.Parallel()
	elsewhere := func(r *http.Request) {
		r.Host = "worker.example"
		r.Header.Set("X-Forwarded-For", "10.0.0.1")
	}
	for name, edit := range map[string]func(*Options){"basic_auth": withBasicAuth(t), "neither": func(*Options) {}} {
		r, k := newIngestRig(t, edit)
		for path, body := range intakes {
			if got := r.ask(t, http.MethodPost, path, carrying(body), elsewhere); got.status != http.StatusAccepted {
				t.Errorf("%s: %s answers %d %s", name, path, got.status, got.body)
			} else {
				k.only(t)
			}
		}
	}
	secret := withBasicAuth(t)
	for name, edit := range map[string]func(*Options){
		"basic_auth and ingest_auth": func(o *Options) { secret(o); o.Ingest.Auth = true },
		"ingest_auth alone":          func(o *Options) { secret(o); o.BasicAuth, o.Ingest.Auth = false, true },
	} {
		r, k := newIngestRig(t, edit)
		for path, body := range intakes {
			for _, wrong := range []func(*http.Request){func(*http.Request) {}, as(testUser, "wrong"), as("", "")} {
				got := r.ask(t, http.MethodPost, path, carrying(body), wrong)
				if got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") != challenge {
					t.Errorf("%s: %s without credentials answers %d %s", name, path, got.status, got.body)
				}
			}
			if got := r.ask(t, http.MethodPost, path, carrying(body), elsewhere, as(testUser, testPassword)); got.status != http.StatusAccepted {
				t.Errorf("%s: %s answers %d %s", name, path, got.status, got.body)
				continue
			}
			if s := k.only(t); strings.Contains(string(s.Raw), "Authorization") {
				t.Errorf("%s: %s hands our credentials on to the function", name, path)
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
	r, k := newIngestRig(t)
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	before := time.Now()
	r.routes().ServeHTTP(w, arriving("POST /async-function/f"))
	if read, write := w.read.Sub(before), w.write.Sub(before); read < bodyTimeout || write < read+takeTimeout {
		t.Errorf("it may be read for %s and answered for %s", read, write)
	}
	k.only(t)
	k.open = ErrFull // who is refused has no body to send
	w = &deadlines{ResponseRecorder: httptest.NewRecorder()}
	r.routes().ServeHTTP(w, arriving("POST /async-function/f"))
	if !w.read.IsZero() {
		t.Error("a request that is refused gets more time all the same")
	}
}

// TestWhoIsRefusedSendsItsBodyFirst: a client that still sends when its connection
// is closed sees a broken pipe, and not why.
func TestWhoIsRefusedSendsItsBodyFirst(t *testing.T) {
	t.Parallel()
	r, k := newIngestRig(t)
	k.open = ErrFull
	for path := range intakes {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", strings.TrimPrefix(r.base, "http://"))
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
			if n, err := c.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("it is answered before its body has come (%v)", err)
			}
			write("world")
			_ = c.SetReadDeadline(time.Time{})
			if b, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 503 ") {
				t.Errorf("the answer is %s, %v", b, err)
			}
		})
	}
}
