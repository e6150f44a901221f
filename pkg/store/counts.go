// File counts.go has the counts of a store.

package store

// LaneStats counts one lane.
type LaneStats struct {
	Ready   int // in flight included
	Delayed int
	Dead    int
	// DeadBytes is the size of the QueueRequests of the dead letters, and of the answers kept with them.
	DeadBytes int64
}

// Stats is what the store holds and what went through it since it was opened.
type Stats struct {
	AtStart  uint64 // invocations that were there when it was opened
	Accepted uint64
	Done     uint64
	Dropped  uint64 // discarded, dropped by an operator or removed by the dead set's bounds

	// Superseded are the callbacks that a replay of their origin cancelled; Dropped has them too.
	Superseded uint64

	Ready, Delayed, Dead int
	Bytes                int64 // QueueRequests of all that is there, and the answers kept with them
	DeadBytes            int64 // likewise, in the dead set
	Mailbox              int   // ready or delayed ones that came through the mailbox

	Keys        int   // idempotency keys that are known
	Results     int   // of finished invocations
	ResultBytes int64 // that they take

	Ends        int    // that are remembered
	EndBytes    int64  // that they take
	EndsRemoved uint64 // before they expired, because of the bound on their bytes
}

// Difference is accepted minus stored minus finished invocations.
// It is 0, or invocations have been lost or invented.
func (s Stats) Difference() int64 {
	in := int64(s.AtStart + s.Accepted)                                                     // #nosec G115 -- counts of what fits on a disk
	return in - int64(s.Done+s.Dropped) - int64(s.Ready) - int64(s.Delayed) - int64(s.Dead) // #nosec G115 -- likewise
}

// Usage is what the store takes on its volume.
type Usage struct {
	DiskBytes  uint64 // Pebble's files
	FreeBytes  uint64 // of the volume; 0 when unknown
	IsRemote   bool   // on a server, whose volume is not known
	LimitBytes int64  // Options.MaxBytes, of stored requests; 0 for no bound
}
