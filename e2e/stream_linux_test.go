package e2e

// Long answers and long requests do not lie in memory.

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// peak is the most memory that the worker has had so far, in bytes.
func (w *worker) peak(t testing.TB) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			kilobytes, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			return kilobytes << 10
		}
	}
	t.Fatalf("the peak is not in\n%s", status)
	return 0
}

func TestImportExportAndPeekAreNeverInMemoryAsAWhole(t *testing.T) {
	t.Parallel()
	const many, size = 200, 1 << 20
	const whole = many * size * 4 / 3
	w := newStand(t, "dead_set_max_bytes=0").worker()
	began, body := time.Now(), strings.Repeat("\x00\xff", size/2)

	lines, out := io.Pipe()
	go func() {
		e := json.NewEncoder(out)
		for n := range many {
			_ = e.Encode(corpseAt(t, began, n, func(c *corpse) { c.Request = []byte(encode(t, call("fn1", body))) })) // an error shows in the answer
		}
		_ = out.Close()
	}()
	code, text := w.ask(t, http.MethodPost, "/v1/dead_set/import", func(r *http.Request) { r.Body, r.ContentLength = lines, -1 })
	switch {
	case code != http.StatusOK:
		t.Fatalf("the import is answered %d %s, want code %d", code, text, http.StatusOK)
	case !strings.Contains(text, fmt.Sprintf(`"imported":%d,`, many)):
		t.Fatalf("the import is answered %d %s, want %q in it", code, text, fmt.Sprintf(`"imported":%d,`, many))
	}
	for _, path := range []string{"/v1/dead_set/export", "/v1/dead_set?count=1000&topic-entity=fn1"} {
		res, err := client.Get(w.base + path)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		switch {
		case err != nil:
			t.Errorf("%s answers %d bytes of at least %d, %v, want no error", path, n, whole, err)
		case n < whole:
			t.Errorf("%s answers %d bytes of at least %d, %v, want at least %v", path, n, whole, err, whole)
		}
	}
	if peak := w.peak(t); peak > whole*4/5 {
		t.Errorf("the worker has had %d bytes of memory, all letters have %d, want at most %v", peak, whole, whole*4/5)
	}
}
