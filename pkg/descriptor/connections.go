// File connections.go divides the limit of descriptors.

package descriptor

const (
	// others is what a worker needs beside its calls and callers: the store, lookups, and at most 256
	// publishers of embedded NATS Streaming.
	others = 512
	// minConnections always fit, however low the limit is.
	minConnections = 32
	// assumed is the limit where the system names none.
	assumed = 1024
)

// Needed returns how many descriptors a worker may need, with the fewest connections of callers. Each call
// may keep a connection in both pools of its client and one to the host of its callback.
func Needed(maxInflight int) int64 { return others + 3*int64(maxInflight) + minConnections }

// Connections returns how many connections the HTTP listener may have open, so that descriptors
// remain for everything else.
func Connections(limit int64, maxInflight int) int {
	if limit <= 0 {
		limit = assumed
	}
	return int(min(max(limit-Needed(maxInflight), 0), 1<<20)) + minConnections
}
