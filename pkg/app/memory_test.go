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
	limitHeap()
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("GOGC is set, and the heap grows by %d %%, want 100", got)
	}
	t.Setenv("GOGC", "")
	limitHeap()
	if got := debug.SetGCPercent(100); got != heapGrowth {
		t.Errorf("the heap grows by %d %%, want %v", got, heapGrowth)
	}
}
