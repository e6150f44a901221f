package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"queue-worker/internal/testkit"
)

// damagedStore leaves the store of a worker behind whose tables all begin with zeros.
func damagedStore(t *testing.T) (s *stand, dir string) {
	t.Helper()
	dir = t.TempDir()
	s = newStand(t, "data_dir="+dir, "initial_retry_wait=1h", "max_retry_wait=2h")
	s.gateway.tell(always(status(503)))
	w := s.worker()
	for range 20 {
		m := call("fn1", strings.Repeat("x", 2000))
		s.broker.publish(t, m)
		w.next(t, m, "retry")
	}
	w.kill()
	w = s.worker() // writes tables from the log that the kill has left
	w.signal(t, syscall.SIGTERM)
	if code := w.exit(t); code != 0 {
		t.Fatalf("the worker ended with %d, want 0", code)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "store", "*.sst"))
	switch {
	case err != nil:
		t.Fatalf("there are no tables: %v, want no error", err)
	case len(tables) == 0:
		t.Fatalf("there are no tables: %v: got %v, want at least 1 tables", err, len(tables))
	}
	for _, name := range tables {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		clear(b[:min(len(b), 256)])
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s, dir
}

func TestADamagedStoreIsCheckedToTheEndAndRefusedByTheWorker(t *testing.T) {
	t.Parallel()
	s, dir := damagedStore(t)
	said := command(t, "", nil, "store", "check", "--data-dir", dir)
	said.want(t, 1, "is damaged: ", "checksum mismatch", "checking: in flight", "the store is damaged")
	out := fails(t, 1, s.env)
	switch line := lastLine(out); {
	case !strings.Contains(line, "data_dir "+dir):
		t.Errorf("the worker's last line is %q, want %q in it", line, "data_dir "+dir)
	case !strings.Contains(line, "run `queue-worker store check` on it"):
		t.Errorf("the worker's last line is %q, want \"run `queue-worker store check` on it\" in it", line)
	}
}

func TestSIGTERMEndsACheckOfADamagedStore(t *testing.T) {
	t.Parallel()
	_, dir := damagedStore(t)
	cmd := prepare(t, nil, "store", "check", "--data-dir", dir)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	// The pipe has room for the first word of progress and not for the second, so
	// that the check stands in its middle until somebody reads.
	const first = "checking: opening\n"
	size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(bytes.Repeat([]byte("\n"), size-len(first))); err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer stuck.Stop()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the check to begin", func() bool {
		n, err := unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ) // #nosec G115 -- a descriptor
		return err == nil && n == size
	})
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	out, readErr := io.ReadAll(r)
	_ = cmd.Wait() // how it ended stands in ProcessState
	switch code := cmd.ProcessState.ExitCode(); {
	case code != 1:
		t.Errorf("ended with %s, %q, %v: got code %v, want 1", cmd.ProcessState, bytes.TrimSpace(out), readErr, code)
	case !strings.Contains(string(out), "interrupted"):
		t.Errorf(`ended with %s, %q, %v, want "interrupted" in it`, cmd.ProcessState, bytes.TrimSpace(out), readErr)
	case readErr != nil:
		t.Errorf("ended with %s, %q, %v, want no error", cmd.ProcessState, bytes.TrimSpace(out), readErr)
	}
}

func TestAWorldWritableDataDirIsWarnedOfOnceAndALinkInItRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil { // #nosec G302 -- as emptyDir is
		t.Fatal(err)
	}
	s := newStand(t, "data_dir="+dir)
	w := s.worker()
	w.signal(t, syscall.SIGTERM)
	if code := w.exit(t); code != 0 {
		t.Errorf("the worker ended with %d, want 0", code)
	}
	if n := strings.Count(w.out.String(), "data_dir is writable by every user"); n != 1 {
		t.Errorf("warned %d times, want 1", n)
	}
	target := filepath.Join(t.TempDir(), "target")
	lock := filepath.Join(dir, "store", "LOCK")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, lock); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("open %s: a symbolic link", lock)
	if line := lastLine(fails(t, 1, s.env)); !strings.Contains(line, want) {
		t.Errorf("the worker's last line is %q, want %q in it", line, want)
	}
	command(t, "", nil, "store", "check", "--data-dir", dir).want(t, 1, want)
	command(t, "", s.env, "doctor").want(t, 1, want)
	switch b, err := os.ReadFile(target); {
	case err != nil:
		t.Errorf("the target is now %q, %v, want no error", b, err)
	case string(b) != "precious":
		t.Errorf(`the target is now %q, %v, want "precious"`, b, err)
	}
}
