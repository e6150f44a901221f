package listen

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// source is a listener whose connections are pipes in memory. Where errs has an error for the
// next Accept, it returns that.
type source struct {
	errs  []error
	conns chan net.Conn
}

func (s *source) Accept() (net.Conn, error) {
	if len(s.errs) > 0 {
		err := s.errs[0]
		s.errs = s.errs[1:]
		return nil, err
	}
	return <-s.conns, nil
}
func (s *source) Close() error   { return nil }
func (s *source) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// rig is a capped listener and both ends of its connections.
type rig struct {
	*Listener
	t      *testing.T
	source *source
	log    bytes.Buffer
}

func capped(t *testing.T, limit int) *rig {
	r := &rig{t: t, source: &source{conns: make(chan net.Conn, 1)}}
	r.Listener = Cap(r.source, limit, slog.New(slog.NewTextHandler(&r.log, nil)), nil)
	return r
}

// connect returns the server's and the client's end of a new connection.
func (r *rig) connect() (server, client net.Conn) {
	r.t.Helper()
	client, inner := net.Pipe()
	r.source.conns <- inner
	server, err := r.Accept()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _, _ = server.Close(), client.Close() })
	return server, client
}

// send passes one byte from one end to the other.
func send(t *testing.T, from, to net.Conn) {
	t.Helper()
	written := make(chan struct{})
	go func() { defer close(written); _, _ = from.Write([]byte{1}) }()
	if _, err := io.ReadFull(to, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	<-written // the write has ended the idle time only when it has returned
}

// closed reports whether the other end of a pipe is closed.
func closed(t *testing.T, client net.Conn) bool {
	t.Helper()
	_ = client.SetWriteDeadline(time.Unix(1, 0)) // a write to an open pipe does not wait for a reader
	_, err := client.Write(nil)
	_ = client.SetWriteDeadline(time.Time{})
	return errors.Is(err, io.ErrClosedPipe)
}

func TestTheConnectionThatHasBeenIdleLongestIsClosed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(r *rig, server, client []net.Conn)
		want int // the connection that is closed for a fourth one
	}{
		{"all are silent", func(*rig, []net.Conn, []net.Conn) {}, 0},
		{"the oldest was read from", func(r *rig, s, c []net.Conn) { send(r.t, c[0], s[0]) }, 1},
		{"the oldest was written to", func(r *rig, s, c []net.Conn) { send(r.t, s[0], c[0]) }, 1},
		{"a request is in progress on the oldest", func(r *rig, s, _ []net.Conn) { r.Busy(s[0], true) }, 1},
		{"the only one without a request is the last", func(r *rig, s, c []net.Conn) {
			r.Busy(s[0], true)
			r.Busy(s[1], true)
			send(r.t, c[2], s[2])
		}, 2},
		{"a request ended on the oldest", func(r *rig, s, _ []net.Conn) { r.Busy(s[0], true); r.Busy(s[0], false) }, 1},
		{"requests are in progress on all", func(r *rig, s, c []net.Conn) {
			for _, c := range s {
				r.Busy(c, true)
			}
			send(r.t, c[0], s[0])
		}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := capped(t, 3)
			var server, client []net.Conn
			for range 3 {
				s, c := r.connect()
				server, client = append(server, s), append(client, c)
			}
			tt.do(r, server, client)
			s, c := r.connect()
			for i := range client {
				if got := closed(t, client[i]); got != (i == tt.want) {
					t.Errorf("connection %d: closed is %t, want %v", i, got, i == tt.want)
				}
			}
			send(t, c, s)
			if n := r.Len(); n != 3 {
				t.Errorf("%d connections are open, want 3", n)
			}
		})
	}
}

func TestAClosedConnectionMakesRoom(t *testing.T) {
	t.Parallel()
	r := capped(t, 2)
	_, kept := r.connect()
	for range 5 {
		s, _ := r.connect()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		r.Busy(s, true) // too late, and of no effect
	}
	switch {
	case closed(t, kept):
		t.Errorf("%d connections are open, the first is closed: %t: closed(t, kept) = true, want false\n%s", r.Len(), closed(t, kept), r.log.String())
	case r.Len() != 1:
		t.Errorf("%d connections are open, want 1\n%s", r.Len(), r.log.String())
	case r.log.Len() > 0:
		t.Errorf("%d connections are open, the first is closed: %t: r.log.Len() = %d, want 0\n%s", r.Len(), closed(t, kept), r.log.Len(), r.log.String())
	}
}

func TestTheLimitIsLoggedOnce(t *testing.T) {
	t.Parallel()
	r := capped(t, 2)
	for range 10 {
		r.connect()
	}
	switch text := r.log.String(); {
	case strings.Count(text, "\n") != 1:
		t.Errorf("log: strings.Count(text, \"\\n\") = %d, want 1\n%s", strings.Count(text, "\n"), text)
	case !strings.Contains(text, "limit=2"):
		t.Errorf("log, want \"limit=2\" in it\n%s", text)
	case !strings.Contains(text, "level=WARN"):
		t.Errorf("log, want \"level=WARN\" in it\n%s", text)
	}
}

// TestWithoutAFreeDescriptorAnIdleConnectionIsClosed also holds that a caller with a request in
// progress does not pay for descriptors that others use, and that no such error reaches
// net/http, which stops serving after ENOBUFS.
func TestWithoutAFreeDescriptorAnIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := capped(t, 8)
		_, old := r.connect()
		busy, working := r.connect()
		r.Busy(busy, true)
		full := &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
		none := &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.ENOBUFS)}
		begun := time.Now()
		r.source.errs = []error{full}
		server, last := r.connect()
		if !closed(t, old) || closed(t, working) || r.Len() != 2 || time.Since(begun) != 0 {
			t.Errorf("%d connections are open after %s", r.Len(), time.Since(begun))
		}
		r.Busy(server, true)
		r.source.errs = []error{full, none, full}
		r.connect()
		if closed(t, last) || closed(t, working) || r.Len() != 3 || time.Since(begun) != 3*acceptPause {
			t.Errorf("%d connections are open after %s", r.Len(), time.Since(begun))
		}
		other := errors.New("other")
		r.source.errs = []error{other}
		if _, err := r.Accept(); !errors.Is(err, other) {
			t.Errorf("error is %v, want %v", err, other)
		}
	})
}
