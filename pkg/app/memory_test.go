package app

import (
	"runtime/debug"
	"testing"
)

// TestTheHeapGrowsByHalfUnlessGOGCSaysOtherwise changes the collector of the process, so
// it does not run in parallel.
func TestTheHeapGrowsByHalfUnlessGOGCSaysOtherwise(t *testing.T) {
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	t.Setenv("GOGC", "70")
	limitHeap(false)
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("GOGC is set, and the heap grows by %d %%, want 100", got)
	}
	t.Setenv("GOGC", "")
	for large, want := range map[bool]int{false: heapGrowth, true: largeGrowth} {
		limitHeap(large)
		if got := debug.SetGCPercent(100); got != want {
			t.Errorf("many bytes of large answers %t: the heap grows by %d %%, want %d", large, got, want)
		}
	}
}
