//go:build unix

package listen

import (
	"bytes"
	"log/slog"
	"net"
	"syscall"
	"testing"

	"queue-worker/pkg/descriptor"
)

// exhausted is a TCP listener whose Accept returns the next error of a channel, or accepts on nil.
type exhausted struct {
	*net.TCPListener
	errs chan error
}

func (e *exhausted) Accept() (net.Conn, error) {
	if err := <-e.errs; err != nil {
		return nil, err
	}
	return e.TCPListener.Accept()
}

// TestNoConnectionIsClosedWhileNoneIsPending: Linux takes a descriptor for a connection before it
// looks whether there is one, so the connection that got the last descriptor makes the next Accept
// fail.
func TestNoConnectionIsClosedWhileNoneIsPending(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	e := &exhausted{inner.(*net.TCPListener), make(chan error)}
	var log bytes.Buffer
	l := Cap(e, 8, nil, descriptor.NewMonitor(slog.New(slog.NewTextHandler(&log, nil))))
	connect := func() {
		t.Helper()
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	accepted := make(chan struct{})
	accept := func() {
		if _, err := l.Accept(); err != nil {
			t.Error(err)
		}
		accepted <- struct{}{}
	}

	quiet, server := net.Pipe()
	l.add(server)
	go accept()
	e.errs <- syscall.EMFILE
	e.errs <- nil // taken by the next Accept
	switch {
	case l.Len() != 1:
		t.Errorf("no connection is pending, and %d of 1 are open, want 1\n%s", l.Len(), log.String())
	case log.Len() > 0:
		t.Errorf("no connection is pending, and %d of 1 are open: log.Len() = %d, want 0\n%s", l.Len(), log.Len(), log.String())
	}
	connect()
	<-accepted
	switch {
	case closed(t, quiet):
		t.Errorf("a descriptor was free, and %d of 2 connections are open: closed(t, quiet) = true, want false", l.Len())
	case l.Len() != 2:
		t.Errorf("a descriptor was free, and %d of 2 connections are open, want 2", l.Len())
	}

	connect()
	go accept()
	e.errs <- syscall.EMFILE
	e.errs <- nil
	<-accepted
	switch {
	case !closed(t, quiet):
		t.Errorf("a connection was pending, and %d of 2 are open: closed(t, quiet) = false, want true", l.Len())
	case l.Len() != 2:
		t.Errorf("a connection was pending, and %d of 2 are open, want 2", l.Len())
	}
}
