//go:build linux

// File jobs_linux_test.go fills the volume of the store in the middle of a bulk act.

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"queue-worker/internal/testkit"
)

// TestAJobWaitsOnAFullVolumeAndContinues fills a small tmpfs, which only root can mount. The store has
// room of its own on a full volume: the log that it reuses, 4 MiB, and what a compaction frees. So
// the answers that it keeps need several times as much, and the volume is filled until the job waits.
func TestAJobWaitsOnAFullVolumeAndContinues(t *testing.T) {
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
	s := newStand(t, "data_dir="+dir, "max_retry_attempts=0", "result_ttl=1h")
	s.gateway.tell(always(answer{Status: http.StatusInternalServerError, Body: strings.Repeat("x", 8<<10)}))
	w := s.worker()
	const letters = 2000
	w.fill(t, letters)
	j := w.begin(t, `{"act":"replay","all":true,"rate":200}`)
	w.awaitJob(t, j, "begun", func(j job) bool { return j.Done >= 100 })

	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 4096)
	fill := func() {
		for err := error(nil); err == nil; { // until nothing fits any more
			_, err = f.Write(chunk)
		}
	}
	j = w.awaitJob(t, j, "waiting", func(j job) bool { fill(); return j.State == "waiting" })
	if !strings.Contains(j.Why, "for the store: disk full") {
		t.Errorf(`the job is %+v, want "for the store: disk full" in it`, j)
	}
	testkit.Eventually(t, "/readyz to say so", func() bool {
		fill()
		code, _ := w.ask(t, http.MethodGet, "/readyz")
		return code == http.StatusServiceUnavailable
	})
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	w.wantJob(t, j, letters, 0)
	w.idle(t)
	for _, c := range w.kept(t) {
		if c.Replays != 1 {
			t.Fatalf("a letter was replayed %d times, want 1", c.Replays)
		}
	}
	if c := w.counts(t); c.dead != letters {
		t.Errorf("the counts are %+v, want dead %v", c, letters)
	}
}
