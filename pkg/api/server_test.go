package api

// The limits of the server, by the clock of a bubble and over connections in memory.

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are pipes in memory.
type pipes struct {
	*api
	incoming chan net.Conn
	closed   chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.incoming:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// dial connects a client.
func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.incoming <- server
	return client
}

// fetch makes a request whose connection is not used again.
func (p *pipes) fetch(t *testing.T, path string) answer {
	client := http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return p.dial(), nil },
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		t.Error(err)
		return answer{}
	}
	res, err := client.RoundTrip(req)
	if err != nil {
		t.Errorf("GET %s: %v", path, err)
		return answer{}
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("GET %s: %v", path, err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// servePipes runs the whole surface and returns where to dial. The end of the
// test waits for the server's.
func servePipes(t *testing.T, edits ...func(*Options)) *pipes {
	t.Helper()
	o := Options{Store: emptyStore{}, Queues: []string{"q"}, Gatherer: noMetrics, Healthy: fine, Ready: fine, AdminOpen: true}
	for _, edit := range edits {
		edit(&o)
	}
	a, err := newAPI(o)
	if err != nil {
		t.Fatal(err)
	}
	p := &pipes{a, make(chan net.Conn), make(chan struct{})}
	server := NewServer(a.routes(), nil)
	done := make(chan error, 1)
	go func() { done <- server.Serve(p) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return p
}

func TestAClientThatTricklesItsHeaderIsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := servePipes(t).dial()
		go func() { _, _ = io.Copy(io.Discard, c) }()
		start := time.Now()
		text := "GET /ping HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("X-Slow: 1\r\n", 1000)
		var err error
		for i := 0; err == nil; i++ {
			_, err = io.WriteString(c, text[i:i+1])
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(start); took < readHeaderTimeout || took > 6*time.Second {
			t.Errorf("cut after %s", took)
		}
	})
}

func TestAClientThatTricklesItsBodyIsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := servePipes(t).dial()
		go func() { _, _ = io.Copy(io.Discard, c) }()
		start := time.Now()
		_, err := io.WriteString(c, "POST /v1/dead_set/"+idOf(0).String()+"/replay HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
		for err == nil {
			_, err = io.WriteString(c, "x")
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(start); took > readTimeout+time.Second {
			t.Errorf("cut after %s", took)
		}
	})
}

func TestAClientThatDoesNotReadItsAnswerIsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := servePipes(t).dial()
		if _, err := io.WriteString(c, "GET /v1/dead_set HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(writeTimeout + time.Second)
		if b, err := io.ReadAll(c); strings.Contains(string(b), "messages") {
			t.Errorf("after %s there still is an answer: %s %v", writeTimeout, b, err)
		}
	})
}

func TestAConnectionThatIsIdleIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := servePipes(t).dial()
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
		got := r.ask(t, http.MethodGet, "/ping", func(r *http.Request) { r.Header.Set("X-Long", strings.Repeat("a", size)) })
		if got.status != want.status {
			t.Errorf("%d bytes of header answer %d, want %d", size, got.status, want.status)
		}
		if !strings.Contains(string(got.body), want.problem) {
			t.Errorf("%d bytes of header answer %s, want %s in it", size, got.body, want.problem)
		}
	}
}

func TestAPanicInAHandlerIsLoggedAndCostsOneRequest(t *testing.T) {
	t.Parallel()
	logs := &lockedBuffer{}
	r := newRig(t, func(o *Options) {
		o.Logger = logTo(logs)
		o.Ready = func() error { panic("oops") }
	})
	res, err := http.Get(r.base + "/readyz") // it is answered at once
	if err == nil {
		_ = res.Body.Close()
		t.Errorf("the answer is %d", res.StatusCode)
	}
	if got := r.ask(t, http.MethodGet, "/ping"); got.status != http.StatusOK {
		t.Errorf("the next answer is %d", got.status)
	}
	if !strings.Contains(logs.String(), "oops") {
		t.Errorf("the log is\n%s", logs)
	}
}
