package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAVolumeThatIsFullAtTheStartIsWaitedFor fills a small tmpfs, which only root can mount.
func TestAVolumeThatIsFullAtTheStartIsWaitedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("a tmpfs cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 64<<20-4096), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newStand(t, "data_dir="+dir)
	address := "127.0.0.1:" + strconv.Itoa(freePort(t))
	w := &worker{process: launch(t, plainBinary, append(s.env, "log_encoding=json", "http_listen_address="+address)), base: "http://" + address}
	w.event(t, "that it waits for room", func(e entry) bool { return e.message() == "disk full, waiting for room" })
	if code, body := w.ask(t, http.MethodGet, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz answers %d %q, want %d", code, body, http.StatusOK)
	}
	code, body := w.ask(t, http.MethodGet, "/readyz")
	if code != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d, want %d", code, http.StatusServiceUnavailable)
	}
	if !strings.Contains(body, "store: being opened") {
		t.Errorf("/readyz answers %q, want the reason in it", body)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	w.ready(t)
	m := w.submit(t, "/async-function/figlet", "x")
	s.gateway.awaitThat(t, "its call", func([]asked) bool { return len(s.gateway.of(m)) > 0 })
}
