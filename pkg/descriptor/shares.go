// File shares.go divides the limit of descriptors.

package descriptor

const (
	// base is what a worker needs whatever its settings: standard streams, listeners, logs of the
	// store, the in-flight file, questions to the gateway, name lookups, a connection to NATS.
	base = 128
	// perCall is one connection in each of both pools to the gateway, and one to a host of callbacks.
	perCall = 3
	// The embedded server needs files for itself and for each channel.
	baseEmbedded, perChannel = 32, 4
	// minConnections is what each listener may always keep, however low the limit is.
	minConnections = 32
	// maxPublishers is enough for any number of gateways: each replica has one connection.
	maxPublishers = 256
	// maxCallers bounds the HTTP connections where there is no limit worth the name.
	maxCallers = 1 << 20
	// Bounds of the tables that Pebble keeps open. It keeps no fewer than the first, whatever it is set to.
	minTables, maxTables = 74, 1000
	// assumed is the limit where the system names none.
	assumed = 1024
)

// Demand is what the settings of a worker say about its descriptors.
type Demand struct {
	MaxInflight int
	// Channels are those of embedded NATS Streaming; 0 when it is off.
	Channels int
}

// Shares say who may have how many descriptors.
type Shares struct {
	// Needed is what a worker may need with the fewest connections that its listeners keep. Below
	// it, operations have to wait for a free descriptor.
	Needed int64
	// Callers and Publishers are the connections of the HTTP listener and of the listener of
	// embedded NATS Streaming, 0 when that is off.
	Callers, Publishers int
}

// Divide gives to the listeners what the store and the calls leave of a limit: a quarter, at most
// 256, to publishers, and the rest to callers.
func Divide(limit int64, d Demand) Shares {
	if limit <= 0 {
		limit = assumed
	}
	need := base + int64(Tables(limit)) + perCall*int64(d.MaxInflight)
	if d.Channels > 0 {
		need += baseEmbedded + perChannel*int64(d.Channels)
	}
	s, spare := Shares{Needed: need + minConnections}, max(limit-need, 0)
	if d.Channels > 0 {
		s.Needed += minConnections
		s.Publishers = int(min(max(spare/4, minConnections), maxPublishers))
	}
	s.Callers = int(min(max(spare-int64(s.Publishers), minConnections), maxCallers))
	return s
}

// Tables is how many files Pebble may keep open: a quarter of the limit, within bounds.
func Tables(limit int64) int {
	if limit <= 0 {
		limit = assumed
	}
	return int(min(max(limit/4, minTables), maxTables))
}
