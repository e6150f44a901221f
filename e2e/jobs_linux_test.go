//go:build linux

package e2e

// The store goes away in the middle of a bulk act, and comes back.

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAJobHoldsOnAFullVolumeAndGoesOn fills a small tmpfs, which only root can
// mount.
func TestAJobHoldsOnAFullVolumeAndGoesOn(t *testing.T) {
	if !isLong() {
		t.Skip("with CHAOS=long: beside all other tests it failed once in four runs, and the reason is not known yet")
	}
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=48m"); err != nil {
		t.Skipf("a tmpfs cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := newStand(t, "data_dir="+dir, "max_retry_attempts=0")
	s.gateway.tell(always(status(500)))
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
	for err == nil { // until nothing fits any more
		_, err = f.Write(chunk)
	}
	j = w.awaitState(t, j, "waiting")
	if !strings.Contains(j.Why, "for the store: disk full") {
		t.Errorf("the job is %+v", j)
	}
	if code, _ := w.ask(t, http.MethodGet, "/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz is answered %d", code)
	}
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
			t.Fatalf("a letter was replayed %d times", c.Replays)
		}
	}
	if c := w.counts(t); c.dead != letters {
		t.Errorf("the counts are %+v", c)
	}
}
