// File memory.go lets the garbage collector know the memory limit of the container.

package app

import (
	"math"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryShare is the share of the container's limit that is the soft memory limit of the
// program. The rest is for what Go does not count: the store's cache and mapped files.
const memoryShare = 0.9

// limitMemory sets the soft memory limit from the container's limit, unless GOMEMLIMIT
// has set it, and returns it in bytes; 0 for none.
func limitMemory() int64 {
	_, _ = memlimit.Set(memlimit.WithProvider(memlimit.FromCgroup), memlimit.WithRatio(memoryShare)) // an error means that there is no limit
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		return limit
	}
	return 0
}
