package api_test

// The limits of the server, by the clock of a bubble and over connections in memory.

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/internal/testkit"
	"queue-worker/pkg/api"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/respond"
)

func TestAClientThatTricklesItsHeaderIsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := apitest.Pipe(t).Dial()
		go func() { _, _ = io.Copy(io.Discard, c) }()
		start := time.Now()
		text := "GET /ping HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("X-Slow: 1\r\n", 1000)
		var err error
		for i := 0; err == nil; i++ {
			_, err = io.WriteString(c, text[i:i+1])
			time.Sleep(100 * time.Millisecond)
		}
		switch took := time.Since(start); {
		case took < api.ReadHeaderTimeout:
			t.Errorf("cut after %s, want at least %v", took, api.ReadHeaderTimeout)
		case took > 6*time.Second:
			t.Errorf("cut after %s, want at most %v", took, 6*time.Second)
		}
	})
}

func TestAClientThatTricklesItsBodyIsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := apitest.Pipe(t).Dial()
		go func() { _, _ = io.Copy(io.Discard, c) }()
		start := time.Now()
		_, err := io.WriteString(c, "POST /v1/dead_set/"+apitest.IDOf(0).String()+"/replay HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
		for err == nil {
			_, err = io.WriteString(c, "x")
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(start); took > respond.ReadTimeout+time.Second {
			t.Errorf("cut after %s, want at most %v", took, respond.ReadTimeout+time.Second)
		}
	})
}

func TestAClientThatDoesNotReadItsAnswerIsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := apitest.Pipe(t).Dial()
		if _, err := io.WriteString(c, "GET /v1/dead_set HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(respond.WriteTimeout + time.Second)
		if b, err := io.ReadAll(c); strings.Contains(string(b), "messages") {
			t.Errorf(`after %s there still is an answer: %s %v, want no "messages" in it`, respond.WriteTimeout, b, err)
		}
	})
}

func TestAConnectionThatIsIdleIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := apitest.Pipe(t).Dial()
		if _, err := io.WriteString(c, "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(c)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("closed with %v, want EOF", err)
		}
		if got, want := time.Since(start), 2*time.Minute; got != want {
			t.Errorf("closed after %s, want %s", got, want)
		}
	})
}

func TestAHeaderBeyondItsBoundIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for size, want := range map[int]struct {
		status  int
		problem string
	}{
		20 << 10:  {http.StatusOK, ""},
		63 << 10:  {http.StatusOK, ""},
		64 << 10:  {http.StatusRequestHeaderFieldsTooLarge, `"reason":"too_large"`},
		127 << 10: {http.StatusRequestHeaderFieldsTooLarge, `"reason":"too_large"`},
		140 << 10: {http.StatusRequestHeaderFieldsTooLarge, ""},
	} {
		got := r.Ask(t, http.MethodGet, "/ping", func(r *http.Request) { r.Header.Set("X-Long", strings.Repeat("a", size)) })
		if got.Status != want.status {
			t.Errorf("%d bytes of header answer %d, want %d", size, got.Status, want.status)
		}
		if !strings.Contains(got.Body, want.problem) {
			t.Errorf("%d bytes of header answer %s, want %s in it", size, got.Body, want.problem)
		}
	}
}

func TestAPanicInAHandlerIsLoggedAndCostsOneRequest(t *testing.T) {
	t.Parallel()
	logs := &testkit.Log{}
	r := newRig(t, func(o *apitest.Options) {
		o.API.Logger = apitest.LogTo(logs)
		o.API.Ready = func() error { panic("oops") }
	})
	res, err := http.Get(r.Base + "/readyz") // it is answered at once
	if err == nil {
		_ = res.Body.Close()
		t.Errorf("the answer is %d", res.StatusCode)
	}
	if got := r.Ask(t, http.MethodGet, "/ping"); got.Status != http.StatusOK {
		t.Errorf("the next answer is %d, want %d", got.Status, http.StatusOK)
	}
	if !strings.Contains(logs.String(), "oops") {
		t.Errorf("the log is\n%s, want \"oops\" in it", logs)
	}
}
