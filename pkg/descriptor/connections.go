// File connections.go divides the limit of descriptors.

package descriptor

const (
	// others is what a worker needs beside its calls and callers: store, lookups, NATS.
	others = 256
	// minConnections always fit, however low the limit is.
	minConnections = 32
	// assumed is the limit where the system names none.
	assumed = 1024
)

// Connections returns how many connections the HTTP listener may have open, so that descriptors
// remain for the store and for calls. Each call may keep a connection in both pools of its client
// and one to the host of its callback. Half of the rest is left to embedded NATS Streaming.
func Connections(limit int64, maxInflight int) int {
	if limit <= 0 {
		limit = assumed
	}
	return int(min(max((limit-others-3*int64(maxInflight))/2, minConnections), 1<<20))
}
