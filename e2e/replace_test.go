package e2e

// A worker is replaced while its calls end.

import (
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestAReplacementWaitsForItsPredecessor is what happens when a pod is deleted: its replacement starts at once.
func TestAReplacementWaitsForItsPredecessor(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	tell, release := held("slow")
	s.gateway.tell(tell)
	first := s.worker()
	m := call("slow", "")
	s.broker.publish(t, m)
	s.gateway.await(t, 1)
	first.signal(t, syscall.SIGTERM)

	address := "127.0.0.1:" + strconv.Itoa(freePort(t))
	second := &worker{process: launch(t, plainBinary, append(s.env, "log_encoding=json", "http_listen_address="+address)), base: "http://" + address}
	e := second.event(t, "its wait", func(e entry) bool { return strings.HasPrefix(e.message(), "data_dir in use") })
	if want := "process " + strconv.Itoa(first.cmd.Process.Pid); !strings.Contains(e.text("holder"), want) {
		t.Errorf("the holder is %q, want %q in it", e.text("holder"), want)
	}
	if code, body := second.ask(t, http.MethodGet, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz answers %d %s, want 200", code, body)
	}
	switch code, body := second.ask(t, http.MethodGet, "/readyz"); {
	case code != http.StatusServiceUnavailable:
		t.Errorf("/readyz answers %d %s, want 503", code, body)
	case !strings.Contains(body, "data_dir is in use by another process"):
		t.Errorf("/readyz answers %s, want the reason", body)
	}
	if first.isOver() {
		t.Fatal("the first worker has ended before its call")
	}
	release()
	if code := first.exit(t); code != 0 {
		t.Errorf("the first worker exits with %d, want 0", code)
	}
	second.ready(t)
	other := call("fn1", "")
	s.broker.publish(t, other)
	second.next(t, other, "done")
	checkCalled(t, s, map[*message]int{m: 1, other: 1})
}
