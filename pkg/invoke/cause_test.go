package invoke

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"queue-worker/pkg/invocation"
)

// Calls that get no answer because there is no connection, or a bad one.

func TestClassify(t *testing.T) {
	t.Parallel()
	op := func(op string, err error) error { return &net.OpError{Op: op, Net: "tcp", Err: err} }
	tests := []struct {
		err  error
		want invocation.Cause
	}{
		{op("dial", &net.DNSError{Err: "no such host", Name: "CANARY", IsNotFound: true}), invocation.CauseDNS},
		{op("dial", &net.DNSError{Err: "server misbehaving", Name: "CANARY", IsTimeout: true}), invocation.CauseDNS},
		{op("dial", syscall.ECONNREFUSED), invocation.CauseRefused},
		{op("dial", syscall.ETIMEDOUT), invocation.CauseTimeout},
		{op("dial", context.DeadlineExceeded), invocation.CauseTimeout},
		{op("dial", syscall.EHOSTUNREACH), invocation.CauseTransport},
		{op("dial", syscall.ENETUNREACH), invocation.CauseTransport},
		{op("read", syscall.ECONNRESET), invocation.CauseReset},
		{op("read", syscall.ETIMEDOUT), invocation.CauseReset},
		{op("write", syscall.EPIPE), invocation.CauseReset},
		{io.EOF, invocation.CauseReset},
		{io.ErrUnexpectedEOF, invocation.CauseReset},
		{net.ErrClosed, invocation.CauseReset},
		{errors.New("http: server closed idle connection"), invocation.CauseReset},
		{fmt.Errorf("net/http: HTTP/1.x transport connection broken: %w", io.EOF), invocation.CauseReset},
		{tls.AlertError(42), invocation.CauseTLS},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(42)}, invocation.CauseTLS},
		{&net.OpError{Op: "local error", Err: errors.New("tls: bad record")}, invocation.CauseTLS},
		{tls.RecordHeaderError{Msg: "CANARY"}, invocation.CauseTLS},
		{errors.New("tls: CANARY"), invocation.CauseTLS},
		{errors.New("malformed HTTP response \"CANARY\""), invocation.CauseTransport},
		{errors.New("CANARY"), invocation.CauseTransport},
	}
	for _, tt := range tests {
		got, detail := classify(tt.err)
		if got != tt.want || detail == "" || strings.Contains(detail, "CANARY") {
			t.Errorf("%v is %q (%s), want %q", tt.err, got, detail, tt.want)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := newClient(t, l.Addr().String(), nil)
	call := callOf(t, "x")
	for _, r := range []Result{c.Function(t.Context(), call), c.Callback(t.Context(), "http://"+l.Addr().String()+"/", call)} {
		switch {
		case r.Status != 503:
			t.Errorf("result is %+v, want Status 503", r)
		case r.Cause != invocation.CauseRefused:
			t.Errorf("result is %+v, want Cause %q", r, invocation.CauseRefused)
		case r.Detail != "connection refused":
			t.Errorf("result is %+v, want Detail \"connection refused\"", r)
		}
	}
}

func TestAHostThatTakesNoConnectionIsGivenUpSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, "gateway:8080", nil)
		c.functions.DialContext = counted(func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		r := c.Function(t.Context(), callOf(t, "x"))
		switch {
		case r.Status != 503:
			t.Errorf("result is %+v, want Status 503", r)
		case r.Cause != invocation.CauseTimeout:
			t.Errorf("result is %+v, want Cause %q", r, invocation.CauseTimeout)
		case r.Duration != dialTimeout:
			t.Errorf("result is %+v, want Duration %v", r, dialTimeout)
		}
	})
}

func TestAHandshakeThatHangsIsGivenUpSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, "gateway:8080", func(o *Options) { o.Gateway.Scheme = "https" })
		piped(t, c, func(_ net.Conn, r *bufio.Reader) { io.Copy(io.Discard, r) })
		r := c.Function(t.Context(), callOf(t, "x"))
		switch {
		case r.Status != 503:
			t.Errorf("result is %+v, want Status 503", r)
		case r.Cause != invocation.CauseTimeout:
			t.Errorf("result is %+v, want Cause %q", r, invocation.CauseTimeout)
		case r.Duration != dialTimeout:
			t.Errorf("result is %+v, want Duration %v", r, dialTimeout)
		}
	})
}

func TestTLSOfCallbacks(t *testing.T) {
	t.Parallel()
	trusted := httptest.NewUnstartedServer(nil)
	trusted.Config.ErrorLog = quiet
	trusted.StartTLS()
	t.Cleanup(trusted.Close)
	plain := listen(t, func(_ *socket, _ int, c net.Conn, r *bufio.Reader) {
		r.ReadByte()
		io.WriteString(c, wire(400, "CANARY"))
	})
	deaf := listen(t, func(*socket, int, net.Conn, *bufio.Reader) {})
	tests := []struct {
		name, url string
		insecure  bool
		status    int
		cause     invocation.Cause
		detail    string
	}{
		{"an unknown certificate", trusted.URL, false, 503, invocation.CauseTLS, "the certificate is signed by an unknown authority"},
		{"the same, and tls_insecure", trusted.URL, true, 404, "", ""},
		{"a server without TLS", "https://" + plain.address, true, 503, invocation.CauseTLS, "the TLS handshake failed"},
		{"a server that closes at once", "https://" + deaf.address, true, 503, invocation.CauseReset, "the connection broke"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, "gateway", func(o *Options) { o.TLSInsecure = tt.insecure })
			r := c.Callback(t.Context(), tt.url, callOf(t, "x"))
			switch {
			case r.Status != tt.status:
				t.Errorf("result is %+v, want Status %d", r, tt.status)
			case r.Cause != tt.cause:
				t.Errorf("result is %+v, want Cause %q", r, tt.cause)
			case r.Detail != tt.detail:
				t.Errorf("result is %+v, want Detail %q", r, tt.detail)
			}
		})
	}
	t.Run("a gateway's certificate is always checked", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, trusted.Listener.Addr().String(), func(o *Options) { o.Gateway.Scheme, o.TLSInsecure = "https", true })
		if r := c.Function(t.Context(), callOf(t, "x")); r.Cause != invocation.CauseTLS {
			t.Errorf("result is %+v, want Cause %q", r, invocation.CauseTLS)
		}
	})
}

func TestNoDetailRepeatsWhatWasSentOrCame(t *testing.T) {
	t.Parallel()
	s := listen(t, func(s *socket, n int, c net.Conn, r *bufio.Reader) {
		s.take(r)
		io.WriteString(c, []string{"CANARY\r\n\r\n", "HTTP/1.1 200 OK\r\nCANARY\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: CANARY\r\n\r\n"}[n%3])
	})
	c := newClient(t, s.address, nil)
	for range 3 {
		r := c.Callback(t.Context(), "http://user:CANARY@"+s.address+"/CANARY?CANARY#CANARY", callOf(t, "x"))
		switch {
		case r.Cause != invocation.CauseTransport:
			t.Errorf("result is %+v, want Cause %q", r, invocation.CauseTransport)
		case strings.Contains(r.Detail, "CANARY"):
			t.Errorf("result is %+v, want Detail no \"CANARY\" in it", r)
		}
	}
}
