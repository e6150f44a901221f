// What large answers cost in memory.

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFiftyLargeAnswersAtOnceArriveWhole has 50 functions that answer 8 MiB at the same time, with a callback for every fifth, and keeps all results. It
// reads the peak from the system, so it does not depend on the speed of the machine.
func TestFiftyLargeAnswersAtOnceArriveWhole(t *testing.T) {
	t.Parallel()
	const many, every, size, most = 50, 5, 8 << 20, 160 << 20
	dir := t.TempDir()
	s, target := newStand(t, "data_dir="+dir, "max_inflight=50", "result_ttl=1h"), newStub(t)
	at, body := make(chan struct{}), strings.Repeat("0123456789abcdef", size/16)
	s.gateway.tell(always(answer{Status: http.StatusOK, Body: body, Until: at}))
	w := s.worker()
	all := make([]*message, many)
	for i := range all {
		all[i] = call("fn"+strings.Repeat("x", i), "")
		if i%every == 0 {
			withCallback(target.url() + "/cb")(all[i])
		}
		s.broker.publish(t, all[i])
	}
	s.gateway.awaitThat(t, "all calls to be in flight", func(calls []asked) bool { return len(calls) == many })
	close(at)
	for _, got := range target.awaitDone(t, many/every) {
		if string(got.Body) != body {
			t.Errorf("a callback has %d other bytes, want all %d", len(got.Body), size)
		}
	}
	w.idle(t)
	w.wantPeak(t, most)
	for _, m := range all[:3] {
		if status, got := w.ask(t, http.MethodGet, "/v1/invocations/"+m.Header.Get("X-Call-Id")+"/result"); status != http.StatusOK || got != body {
			t.Errorf("a result: got %d and %d other bytes, want 200 and all %d", status, len(got), size)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, "spool")); err != nil || len(left) != 0 {
		t.Errorf("files of answers that are left: got %v, %v, want none", left, err)
	}
}

// wantPeak compares the largest amount of memory that the worker had, in bytes.
func (w *worker) wantPeak(t *testing.T, most int64) {
	t.Helper()
	got := w.peakMemory(t)
	t.Logf("memory at peak: %d MiB", got>>20)
	if got >= most {
		t.Errorf("memory at peak: got %d MiB, want less than %d", got>>20, most>>20)
	}
}
