package broker

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// TestWithoutAFreeDescriptorASilentPublisherIsCutOff also holds that one with a client id stays
// when no other is left: the descriptors may be used by something else.
func TestWithoutAFreeDescriptorASilentPublisherIsCutOff(t *testing.T) {
	t.Parallel()
	s := start(t, Options{MaxPublishers: 8})
	lost := make(chan struct{}, 10)
	before := connect(t, s.URL(), "before", nats.DisconnectErrHandler(func(*nats.Conn, error) { lost <- struct{}{} }))
	publish(t, before, "a")
	silent := greet(t, s)
	exhausted := os.NewSyscallError("accept4", syscall.EMFILE)
	s.door.outlast(exhausted)
	silent.cut()
	begun := time.Now()
	s.door.outlast(exhausted)
	if took := time.Since(begun); took < acceptPause {
		t.Errorf("the accept loop tries again after %s", took)
	}
	publish(t, before, "b")
	if len(lost) > 0 {
		t.Error("the publisher with a client id was cut off")
	}
}
