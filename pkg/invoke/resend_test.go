package invoke

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/invocation"
)

// One attempt is one request: these tests count what arrives.

// bodies are the three ways in which a body leaves.
var bodies = map[string]string{
	"no body":         "",
	"a small body":    "hello",
	"a streamed body": strings.Repeat("x", 3*smallBody),
}

// afterOne answers the first request of the first connection, and reads the
// second one and breaks off in the way given.
func afterOne(tb testing.TB, breakOff func(net.Conn)) *socket {
	tb.Helper()
	return listen(tb, func(s *socket, n int, c net.Conn, r *bufio.Reader) {
		if n > 0 {
			for s.take(r) {
				io.WriteString(c, wire(200, "again"))
			}
			return
		}
		s.take(r)
		io.WriteString(c, wire(200, "first"))
		s.take(r)
		breakOff(c)
	})
}

var breaks = map[string]func(net.Conn){
	"closes":                  func(net.Conn) {},
	"resets":                  func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) },
	"sends half a header and": func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n") },
	"sends half a body and":   func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf") },
}

func TestARequestThatWasReadIsNeverSentAgain(t *testing.T) {
	t.Parallel()
	headers := map[string]http.Header{
		"":                        nil,
		", a key of the caller":   {"Idempotency-Key": {"mine"}},
		", an X-Idempotency-Key":  {"X-Idempotency-Key": {"mine"}},
		", a key in another case": {"idempotency-KEY": {"mine"}},
	}
	for what, body := range bodies {
		for how, breakOff := range breaks {
			for key, h := range headers {
				t.Run(what+", the server reads it and "+how+key, func(t *testing.T) {
					t.Parallel()
					s := afterOne(t, breakOff)
					c := newClient(t, s.address, nil)
					call := callOf(t, "")
					call.Request = decoded(t, types.QueueRequest{Function: "figlet", Header: h, Body: []byte(body)})
					if r := c.Function(t.Context(), call); r.Status != 200 {
						t.Fatalf("the first call: %+v, want Status 200", r)
					}
					r := c.Function(t.Context(), call)
					switch {
					case r.Status != 503:
						t.Errorf("the second call: %+v, want Status 503", r)
					case r.Cause != invocation.CauseReset:
						t.Errorf("the second call: %+v, want Cause %q", r, invocation.CauseReset)
					case r.Header != nil:
						t.Errorf("the second call: %+v, want Header nil", r)
					}
					if n := len(s.seen()); n != 2 {
						t.Errorf("2 calls made %d requests, want 2", n)
					}
				})
			}
		}
	}
}

// TestNetHTTPWouldSendItAgain shows that the test above can fail: net/http, left
// to itself, sends the same request twice.
func TestNetHTTPWouldSendItAgain(t *testing.T) {
	t.Parallel()
	s := afterOne(t, breaks["closes"])
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.address+"/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Idempotency-Key", "k")
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if n := len(s.seen()); n != 3 {
		t.Errorf("2 calls made %d requests; if net/http has changed, makeUnreplayable may go, want 3", n)
	}
}

// TestAFreshConnectionThatBreaksIsAnAttempt: there is no reason to think that the
// server did not see the request.
func TestAFreshConnectionThatBreaksIsAnAttempt(t *testing.T) {
	t.Parallel()
	s := listen(t, func(*socket, int, net.Conn, *bufio.Reader) {})
	c := newClient(t, s.address, nil)
	for what, body := range bodies {
		if r := c.Function(t.Context(), callOf(t, body)); r.Cause != invocation.CauseReset {
			t.Errorf("%s: %+v, want Cause %q", what, r, invocation.CauseReset)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns != len(bodies) {
		t.Errorf("%d calls made %d connections, want %d", len(bodies), s.conns, len(bodies))
	}
}

// deadConn fails every write once it is switched, and none of it is sent.
type deadConn struct {
	net.Conn
	dead   *atomic.Bool
	closed chan struct{}
}

func (c *deadConn) Write(p []byte) (int, error) {
	if c.dead.Load() {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(p)
}

func (c *deadConn) Close() error {
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	return c.Conn.Close()
}

func TestARequestThatNeverLeftIsSentOnAnotherConnection(t *testing.T) {
	t.Parallel()
	for what, body := range bodies {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := answering(t, wire(200, "ok"))
			c := newClient(t, s.address, nil)
			var dialled []*deadConn
			c.functions.DialContext = counted(func(ctx context.Context, network, address string) (net.Conn, error) {
				n, err := (&net.Dialer{}).DialContext(ctx, network, address)
				d := &deadConn{Conn: n, dead: new(atomic.Bool), closed: make(chan struct{})}
				dialled = append(dialled, d)
				return d, err
			})
			for range 3 {
				switch r := c.Function(t.Context(), callOf(t, body)); {
				case r.Status != 200:
					t.Fatalf("result is %+v, want Status 200", r)
				case string(r.Body) != "ok":
					t.Fatalf("result is %+v: string(r.Body) = %q, want \"ok\"", r, string(r.Body))
				}
				dialled[len(dialled)-1].dead.Store(true)
			}
			switch n := len(s.seen()); {
			case n != 3:
				t.Errorf("3 calls made %d requests over %d connections: n = %d, want 3", n, len(dialled), n)
			case len(dialled) != 3:
				t.Errorf("3 calls made %d requests over %d connections: len(dialled) = %d, want 3", n, len(dialled), len(dialled))
			}
		})
	}
}

// TestAKeptConnectionThatTheServerClosesCostsNothing closes the connection in the
// worst moment: after the pool has given it out, before a byte is written. The pool
// of small requests looks at a connection after it has given it out.
func TestAKeptConnectionThatTheServerClosesCostsNothing(t *testing.T) {
	t.Parallel()
	for what, body := range bodies {
		if len(body) <= smallBody {
			continue
		}
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			leave := make(chan struct{})
			s := listen(t, func(s *socket, n int, c net.Conn, r *bufio.Reader) {
				for s.take(r) {
					io.WriteString(c, wire(200, "ok"))
					if n == 0 {
						<-leave
						return
					}
				}
			})
			c := newClient(t, s.address, nil)
			closed := make(chan struct{})
			c.functions.DialContext = counted(func(ctx context.Context, network, address string) (net.Conn, error) {
				n, err := (&net.Dialer{}).DialContext(ctx, network, address)
				d := &deadConn{Conn: n, dead: new(atomic.Bool), closed: closed}
				closed = make(chan struct{})
				return d, err
			})
			first := closed
			if r := c.Function(t.Context(), callOf(t, body)); r.Status != 200 {
				t.Fatalf("the first call: %+v, want Status 200", r)
			}
			got := 0
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
				if got++; got == 1 && i.Reused {
					close(leave)
					within(t, first, "closing the connection")
				}
			}})
			if r := c.Function(ctx, callOf(t, body)); r.Status != 200 {
				t.Errorf("the second call: %+v, want Status 200", r)
			}
			switch n := len(s.seen()); {
			case n != 2:
				t.Errorf("2 calls made %d requests, want 2", n)
			case got != 2:
				t.Errorf("the second took %d connections, want 2", got)
			}
		})
	}
}

func TestAGatewayThatStartedAgainCostsNoAttempt(t *testing.T) {
	t.Parallel()
	leave := make(chan struct{})
	kept := 0 // connections that there were at the restart
	s := listen(t, func(s *socket, n int, c net.Conn, r *bufio.Reader) {
		go func() {
			<-leave
			if n < kept {
				c.Close()
			}
		}()
		for s.take(r) {
			io.WriteString(c, wire(200, "ok"))
		}
	})
	c := newClient(t, s.address, nil)
	closed := make(chan struct{}, 16)
	c.functions.DialContext = counted(func(ctx context.Context, network, address string) (net.Conn, error) {
		n, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &tellingConn{Conn: n, closed: closed}, err
	})
	results := make(chan Result)
	for range 4 {
		go func() { results <- c.Function(t.Context(), callOf(t, bodies["a streamed body"])) }()
	}
	for range 4 {
		<-results
	}
	s.mu.Lock()
	kept = s.conns
	s.mu.Unlock()
	close(leave)
	for range kept {
		within(t, closed, "closing a kept connection")
	}
	for range 4 {
		if r := c.Function(t.Context(), callOf(t, bodies["a streamed body"])); r.Status != 200 {
			t.Errorf("result is %+v, want Status 200", r)
		}
	}
	if n := len(s.seen()); n != 8 {
		t.Errorf("8 calls made %d requests, want 8", n)
	}
}

// waitUntilClosed returns when the other side has closed all idle connections.
func (d *direct) waitUntilClosed(t *testing.T) {
	t.Helper()
	for {
		d.mu.Lock()
		open := slices.ContainsFunc(d.idle, func(c *directConn) bool { return isQuiet(c.Conn) })
		d.mu.Unlock()
		if !open {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("an idle connection stays open, want err nil")
		}
		runtime.Gosched()
	}
}

func TestSmallRequestsPassConnectionsThatTheServerHasClosed(t *testing.T) {
	t.Parallel()
	for what, body := range bodies {
		if len(body) > smallBody {
			continue
		}
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := listen(t, func(s *socket, _ int, c net.Conn, r *bufio.Reader) { // each serves one request
				if s.take(r) {
					io.WriteString(c, wire(200, "ok"))
				}
			})
			c := newClient(t, s.address, nil)
			for n := range 4 {
				if r := c.Function(t.Context(), callOf(t, body)); r.Status != 200 {
					t.Fatalf("call %d: %+v, want Status 200", n, r)
				}
				c.direct.waitUntilClosed(t)
			}
			if got := len(s.seen()); got != 4 {
				t.Errorf("requests: got %d, want 4", got)
			}
		})
	}
}

func TestAnAnswerWithoutARequestSpoilsTheConnection(t *testing.T) {
	t.Parallel()
	s := listen(t, func(s *socket, n int, c net.Conn, r *bufio.Reader) {
		for s.take(r) {
			answer := wire(200, "ok")
			if n == 0 {
				answer += wire(200, "smuggled")
			}
			io.WriteString(c, answer)
		}
	})
	c := newClient(t, s.address, nil)
	for n := range 3 {
		r := c.Function(t.Context(), callOf(t, "x"))
		if got, want := string(r.Body), "ok"; got != want {
			t.Errorf("call %d: got the answer %q, want %q", n, got, want)
		}
	}
}

// tellingConn tells when it is closed.
type tellingConn struct {
	net.Conn
	closed chan struct{}
}

func (c *tellingConn) Close() error {
	c.closed <- struct{}{}
	return c.Conn.Close()
}
