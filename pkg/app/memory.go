// File memory.go sets up the garbage collector: how far the heap may grow, and the memory limit of the
// container.

package app

import (
	"math"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryShare is the share of the container's limit that is the soft memory limit of the
// program. The rest is for what Go does not count: the pages of the binary and mapped files.
const memoryShare = 0.9

// heapGrowth is how much the heap may grow before it is collected, in percent of what is
// in use. Go's default of 100 doubles the store's memtables and cache, which are on the heap,
// too. An invocation allocates little, so collecting twice as often costs little.
const heapGrowth = 50

// largeGrowth is heapGrowth while there are many bytes of large answers in memory. They are no reason to let the heap grow
// by more, and hold no pointers, so a collection passes over them.
const largeGrowth = 20

// limitHeap bounds the growth of the heap, unless GOGC has set it.
func limitHeap(large bool) {
	switch {
	case os.Getenv("GOGC") != "":
	case large:
		debug.SetGCPercent(largeGrowth)
	default:
		debug.SetGCPercent(heapGrowth)
	}
}

// limitMemory sets the soft memory limit from the container's limit, unless GOMEMLIMIT
// has set it, and returns it in bytes; 0 for none.
func limitMemory() int64 {
	_, _ = memlimit.Set(memlimit.WithProvider(memlimit.FromCgroup), memlimit.WithRatio(memoryShare)) // an error means that there is no limit
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		return limit
	}
	return 0
}
