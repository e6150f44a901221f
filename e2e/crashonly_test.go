package e2e

// A disk that fails ends the process, and the next start recovers what was confirmed.

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"queue-worker/internal/testkit"
)

func TestAFailedDiskEndsTheProcessAndNothingIsLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newStand(t, "data_dir="+dir)
	hold, release := held("slow")
	s.gateway.tell(hold)
	w := s.worker()
	accepted := []*message{w.submit(t, "/async-function/slow", "x")}
	s.gateway.await(t, 1)

	files, away := filepath.Join(dir, "store"), filepath.Join(dir, "away")
	if err := os.Rename(files, away); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the process to end", func() bool { // once the store makes a new file
		answer, err := w.trySend("/async-function/quick", strings.Repeat("x", 1<<20))
		if err == nil && answer.Status == http.StatusAccepted {
			accepted = append(accepted, answer.message())
		}
		return w.isOver()
	})
	if code := w.exit(t); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, want := range []string{`"msg":"store failed"`, `"msg":"store failed, exiting"`, "no such file or directory"} {
		if log := w.out.String(); !strings.Contains(log, want) {
			t.Errorf("log, want %s in it\n%s", want, log)
		}
	}

	_ = os.RemoveAll(files) // what the process may have made there while it ended
	if err := os.Rename(away, files); err != nil {
		t.Fatal(err)
	}
	release()
	again := s.worker()
	for _, m := range accepted {
		s.gateway.awaitThat(t, "a call of each that was accepted", func([]asked) bool { return len(s.gateway.of(m)) > 0 })
	}
	if log := again.out.String(); strings.Contains(log, "previous process crashed") {
		t.Errorf("log of the next start, want no crash of the call in flight\n%s", log)
	}
}
