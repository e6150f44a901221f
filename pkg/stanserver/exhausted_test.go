package stanserver

import (
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// TestWithoutAFreeDescriptorASilentPublisherIsCutOff also holds that one with a client id stays
// when no other is left, because the descriptors may be used by something else, and that none is
// cut off while no connection is pending: accept(2) fails then too.
func TestWithoutAFreeDescriptorASilentPublisherIsCutOff(t *testing.T) {
	t.Parallel()
	s := start(t, Options{MaxPublishers: 8})
	lost := make(chan struct{}, 10)
	before := connect(t, s.URL(), "before", nats.DisconnectErrHandler(func(*nats.Conn, error) { lost <- struct{}{} }))
	publish(t, before, "a")
	silent := greet(t, s)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	exhausted := os.NewSyscallError("accept4", syscall.EMFILE)
	s.listener.outlast(ln, exhausted)
	silent.sync() // not cut off
	pending, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer pending.Close()
	s.listener.outlast(ln, exhausted)
	silent.cut()
	begun := time.Now()
	s.listener.outlast(ln, exhausted)
	if took := time.Since(begun); took < acceptPause {
		t.Errorf("the accept loop tries again after %s, want at least %v", took, acceptPause)
	}
	publish(t, before, "b")
	if len(lost) > 0 {
		t.Errorf("the publisher with a client id was cut off: len(lost) = %d, want 0", len(lost))
	}
}
