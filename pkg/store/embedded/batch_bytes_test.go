package embedded

import (
	"runtime"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestLargeRequestsAreCommittedWithLittleMemory: a batch of large requests stays below the
// size from which the engine keeps the batch itself in memory, and its buffer is used again.
// With batches of 2 MiB it was 9 to 11 bytes for each byte of a request. It is 6 to 7, the more the
// fewer buffers the pools return, as with the race detector.
func TestLargeRequestsAreCommittedWithLittleMemory(t *testing.T) {
	const size, batch, passes, most = 200 << 10, 40, 4, 8
	s, err := Open(Options{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	p := footprint{batch: batch, size: size}
	p.pass(t, s, 0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for n := range passes {
		p.pass(t, s, (n+1)*batch)
	}
	runtime.ReadMemStats(&after)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := float64(after.TotalAlloc-before.TotalAlloc) / (passes * batch * size); got > most {
		t.Errorf("allocated for each byte of a request: got %.1f bytes, want at most %d", got, most)
	}
}
