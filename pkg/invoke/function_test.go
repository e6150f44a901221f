package invoke

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"
)

func TestFunctionSendsTheseBytes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		q    types.QueueRequest
		call Call
		want string
	}{
		{
			"a request of the gateway of 2021, hop-by-hop fields and all",
			types.QueueRequest{
				Function: "chaos.openfaas-fn", Path: "/v1/job", QueryString: "user=1", Host: "caller.example", Method: "GET", Body: []byte("hello"),
				Header: http.Header{
					"Accept": {"*/*"}, "Content-Length": {"5"}, "Content-Type": {"text/plain"}, "User-Agent": {"curl/7.68.0"},
					"X-Call-Id": {"c0"}, "X-Start-Time": {"1543915495384346700", "2"}, "X-Callback-Url": {"http://user:pw@cb/"},
					"Connection": {"", "close, X-Private"}, "X-Private": {"1"}, "Keep-Alive": {"timeout=5"}, "Te": {"trailers"},
					"Trailer": {"X-T"}, "Transfer-Encoding": {"chunked"}, "Upgrade": {"h2c"}, "Proxy-Authorization": {"Basic eDp5"},
					"Proxy-Connection": {"close"}, "Expect": {"100-continue"}, "Host": {"other"}, "Authorization": {"Bearer t"},
					"X-Retry": {"99"}, "x-retry-max": {"99"}, "X_Retry": {"99"},
				},
			},
			Call{ID: testID, CallID: "c0", Retry: 2, RetryMax: 10},
			`POST /function/chaos.openfaas-fn/v1/job?user=1 HTTP/1.1
Host: GATEWAY
User-Agent: curl/7.68.0
Content-Length: 5
Accept: */*
Authorization: Bearer t
Content-Type: text/plain
X-Call-Id: c0
X-Callback-Url: http://user:pw@cb/
X-Retry: 2
X-Retry-Max: 10
X-Start-Time: 1543915495384346700
X-Start-Time: 2
idempotency-key: ` + testIDText + `

hello`,
		},
		{
			"nothing but a name",
			types.QueueRequest{Function: "figlet"},
			Call{ID: testID, CallID: "c1", RetryMax: 0},
			`POST /function/figlet/ HTTP/1.1
Host: GATEWAY
User-Agent: queue-worker/1.2.3
Content-Length: 0
X-Call-Id: c1
X-Retry: 0
X-Retry-Max: 0
idempotency-key: ` + testIDText + `

`,
		},
		{
			"the caller's own idempotency key and encodings, no limit of retries, no call id",
			types.QueueRequest{
				Function: "figlet", Path: "/a%2Fb/", QueryString: "a=%20;b&c",
				Header: http.Header{"Idempotency-Key": {"mine"}, "Accept-Encoding": {"br"}, "User-Agent": {""}, "X-Empty": {""}},
			},
			Call{ID: testID, Retry: 7, RetryMax: -1},
			`POST /function/figlet/a%2Fb/?a=%20;b&c HTTP/1.1
Host: GATEWAY
User-Agent: queue-worker/1.2.3
Content-Length: 0
Accept-Encoding: br
X-Call-Id: ` + testIDText + `
X-Empty: ` + `
X-Retry: 7
idempotency-key: mine

`,
		},
		{
			"a query that was published with its question mark has one",
			types.QueueRequest{Function: "figlet", QueryString: "?a=b"},
			Call{ID: testID, CallID: "c1", RetryMax: 0},
			`POST /function/figlet/?a=b HTTP/1.1
Host: GATEWAY
User-Agent: queue-worker/1.2.3
Content-Length: 0
X-Call-Id: c1
X-Retry: 0
X-Retry-Max: 0
idempotency-key: ` + testIDText + `

`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := answering(t, wire(200, ""))
			c := newClient(t, s.address, nil)
			tt.call.Request = decoded(t, tt.q)
			for range 2 { // the stored request can be sent any number of times
				switch r := c.Function(t.Context(), tt.call); {
				case r.Status != 200:
					t.Fatalf("result is %+v, want Status 200", r)
				case r.Cause != "":
					t.Fatalf("result is %+v, want Cause \"\"", r)
				}
			}
			want := crlf(strings.ReplaceAll(tt.want, "GATEWAY", s.address))
			if d := cmp.Diff([]string{want, want}, s.seen()); d != "" {
				t.Errorf("bytes on the wire (-want +got):\n%s", d)
			}
		})
	}
}

func TestFunctionKeepsTheGatewaysPath(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"/base", "/base/", "/base//"} {
		s := answering(t, wire(200, ""))
		c := newClient(t, s.address, func(o *Options) { o.Gateway.Path = prefix })
		c.Function(t.Context(), callOf(t, ""))
		if got := s.seen()[0]; !strings.HasPrefix(got, "POST /base/function/figlet/ HTTP/1.1\r\n") {
			t.Errorf("with %q the request is %q, want it to begin with %q", prefix, got, "POST /base/function/figlet/ HTTP/1.1\r\n")
		}
	}
}

func TestGatewaysCredentialsAreNotSent(t *testing.T) {
	t.Parallel()
	s := answering(t, wire(200, ""))
	c := newClient(t, s.address, func(o *Options) {
		o.Gateway.User, o.Gateway.RawQuery = url.UserPassword("u", "p"), "q=1"
	})
	c.Function(t.Context(), callOf(t, ""))
	switch got := s.seen()[0]; {
	case strings.Contains(got, "Authorization"):
		t.Errorf("the request is %q, want no \"Authorization\" in it", got)
	case strings.Contains(got, "q=1"):
		t.Errorf("the request is %q, want no \"q=1\" in it", got)
	}
}

func TestBodiesArriveByteForByte(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		if err != nil || n != r.ContentLength || len(r.TransferEncoding) > 0 {
			w.WriteHeader(http.StatusBadRequest)
		}
		w.Write(h.Sum(nil))
	}))
	t.Cleanup(srv.Close)
	c := newClient(t, srv.Listener.Addr().String(), nil)
	for _, n := range []int{0, 1, smallBody - 1, smallBody, smallBody + 1, 64<<10 + 1, 1<<20 + 2} {
		b := make([]byte, n)
		rand.Read(b)
		call := callOf(t, string(b))
		for range 2 {
			r := c.Function(t.Context(), call)
			switch sum := sha256.Sum256(b); {
			case r.Status != 200:
				t.Errorf("%d bytes: status %d, want 200", n, r.Status)
			case !bytes.Equal(r.Body, sum[:]):
				t.Errorf("%d bytes: status %d, cause %q, other bytes: r.Body = %q, want %q", n, r.Status, r.Cause, r.Body, sum[:])
			}
		}
	}
}

// stuckConn lets the header out and holds the body back until it is released, even
// beyond its own end.
type stuckConn struct {
	net.Conn
	held    chan struct{} // gets a value when a part of the body is held back
	release chan struct{}
	writes  atomic.Int32
}

func (c *stuckConn) Write(p []byte) (int, error) {
	if c.writes.Add(1) == 1 {
		return c.Conn.Write(p)
	}
	c.held <- struct{}{}
	<-c.release
	return len(p), nil
}

// TestNothingReadsTheRequestAfterTheCall answers before the body is out, so that
// net/http is still at it when the call is over.
func TestNothingReadsTheRequestAfterTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, "gateway", nil)
		stuck := &stuckConn{held: make(chan struct{}, 8), release: make(chan struct{})}
		piped(t, c, func(c net.Conn, r *bufio.Reader) {
			for line := ""; line != "\r\n"; line, _ = r.ReadString('\n') {
			}
			<-stuck.held
			io.WriteString(c, wire(413, "no", "Connection: close"))
		})
		dial := c.functions.DialContext
		c.functions.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			n, err := dial(ctx, network, address)
			stuck.Conn = n
			return stuck, err
		}
		raw := []byte(`{"Function":"figlet","Body":"` + strings.Repeat("aGVsbG8h", 32<<10) + `"}`)
		call := callOf(t, "")
		call.Request = mustDecode(t, raw)
		if r := c.Function(t.Context(), call); r.Status != 413 {
			t.Errorf("result is %+v, want Status 413", r)
		}
		synctest.Wait()
		clear(raw) // the race detector tells if someone reads it
		before := stuck.writes.Load()
		close(stuck.release)
		synctest.Wait()
		if after := stuck.writes.Load(); before != 2 || after != 2 {
			t.Errorf("%d writes during the call, %d in the end, want the header and a part of the body", before, after)
		}
	})
}

func TestConnectionsAreKeptAndBounded(t *testing.T) {
	t.Parallel()
	s := answering(t, wire(200, "ok"))
	c := newClient(t, s.address, func(o *Options) { o.MaxInflight = 2 })
	done := make(chan Result)
	for range 8 {
		go func() {
			for range 20 {
				done <- c.Function(t.Context(), callOf(t, "x"))
			}
		}()
	}
	for range 160 {
		if r := <-done; r.Status != 200 {
			t.Errorf("result is %+v, want Status 200", r)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns > 2 {
		t.Errorf("160 calls took %d connections, want at most 2", s.conns)
	}
}

func TestACallWithoutTimeoutMayTakeDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, "gateway:8080", nil)
		piped(t, c, func(c net.Conn, r *bufio.Reader) {
			readRequest(r)
			time.Sleep(72 * time.Hour)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
			time.Sleep(72 * time.Hour)
			io.WriteString(c, "ok")
		})
		r := c.Function(t.Context(), callOf(t, "x"))
		switch {
		case r.Status != 200:
			t.Errorf("result is %+v, want Status 200", r)
		case string(r.Body) != "ok":
			t.Errorf("result is %+v: string(r.Body) = %q, want \"ok\"", r, string(r.Body))
		case r.Duration != 144*time.Hour:
			t.Errorf("result is %+v, want Duration %v", r, 144*time.Hour)
		}
	})
}

func TestAnIdleConnectionIsClosedFromThisSide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, "gateway:8080", nil)
		closed := make(chan time.Time, 1)
		piped(t, c, func(c net.Conn, r *bufio.Reader) {
			readRequest(r)
			io.WriteString(c, wire(200, ""))
			r.ReadByte()
			closed <- time.Now()
		})
		c.Function(t.Context(), callOf(t, "x"))
		begun := time.Now()
		if idle := (<-closed).Sub(begun); idle != idleTimeout {
			t.Errorf("closed after %s, want %s", idle, idleTimeout)
		}
	})
}
