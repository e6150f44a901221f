// File pipe.go runs the surface by the clock of a bubble and over connections in memory.

package apitest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"

	"queue-worker/internal/testkit"
	"queue-worker/pkg/api"
)

// Pipes is a listener whose connections are pipes in memory.
type Pipes struct {
	*Rig
	incoming chan net.Conn
	closed   chan struct{}
}

// Accept implements net.Listener.
func (p *Pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.incoming:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *Pipes) Close() error { close(p.closed); return nil }

// Addr implements net.Listener.
func (p *Pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// Dial connects a client.
func (p *Pipes) Dial() net.Conn {
	client, server := net.Pipe()
	p.incoming <- server
	return client
}

// Fetch makes a request whose connection is not used again.
func (p *Pipes) Fetch(t *testing.T, path string) Answer {
	client := http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return p.Dial(), nil },
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		t.Error(err)
		return Answer{}
	}
	res, err := client.RoundTrip(req)
	if err != nil {
		t.Errorf("GET %s: %v, want no error", path, err)
		return Answer{}
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("GET %s: %v, want no error", path, err)
	}
	return Answer{res.StatusCode, res.Header, string(body)}
}

// Pipe runs the whole surface, on a store without anything, and returns where to dial. The
// end of the test waits for the server's.
func Pipe(t testing.TB, edits ...func(*Options)) *Pipes {
	t.Helper()
	p := &Pipes{&Rig{Logs: &testkit.Log{}}, make(chan net.Conn), make(chan struct{})}
	o := p.options(EmptyStore{})
	o.API.AdminOpen = true
	p.build(t, o, edits)
	server := api.NewServer(p.Handler, nil)
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
