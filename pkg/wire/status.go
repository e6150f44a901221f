// File status.go has the document of the state of a worker and of its store.

package wire

import "time"

// Levels of a summary and of its findings.
const (
	LevelOK       = "ok"
	LevelWarning  = "warning"  // by choice, or for a time
	LevelCritical = "critical" // an operator is needed
)

// Status is the state of a worker and of its store. What is in Worker is of the process that
// answers; what is in Store is of the store, whichever worker answers.
type Status struct {
	At      time.Time    `json:"at"`
	Summary Summary      `json:"summary"`
	Worker  WorkerStatus `json:"worker"`
	Store   StoreStatus  `json:"store"`
}

// Summary says in words what an operator has to know.
type Summary struct {
	Level    string    `json:"level"` // ok, warning or critical
	Headline string    `json:"headline"`
	Note     string    `json:"note"`
	Findings []Finding `json:"findings"`       // worst first, at most 8
	More     int       `json:"more,omitempty"` // findings that are not listed
}

// Finding is one thing that an operator has to know.
type Finding struct {
	Level    string `json:"level"`
	Rule     string `json:"rule"`               // one of a closed set
	Function string `json:"function,omitempty"` // which it is about
	Queue    string `json:"queue,omitempty"`
	Job      string `json:"job,omitempty"`
	Title    string `json:"title"` // a sentence without its full stop
	Text     string `json:"text"`  // one or more sentences
}

// WorkerStatus is the state of one worker. Its figures begin with the process.
type WorkerStatus struct {
	Version     string        `json:"version"`
	Started     time.Time     `json:"started_at"`
	Ready       bool          `json:"ready"`
	Reasons     []string      `json:"reasons"` // why it is not ready
	Draining    bool          `json:"draining"`
	Slots       Slots         `json:"slots"`
	Queues      []QueueStatus `json:"queues"`
	Source      SourceStatus  `json:"source"`
	Gateway     GatewayStatus `json:"gateway"`
	Rate        float64       `json:"rate_per_second"` // calls over the last minute
	Unaccounted int64         `json:"unaccounted"`     // accepted minus stored minus finished invocations; anything but 0 is a bug
	History     History       `json:"history"`
}

// Slots are the calls that a worker can make at a time.
type Slots struct {
	Used int `json:"used"`
	Max  int `json:"max"`
}

// QueueStatus is a queue that a worker reads.
type QueueStatus struct {
	Name    string `json:"name"`
	Limit   int    `json:"limit"`   // calls at a time; 0: max_inflight
	Running int    `json:"running"` // in flight
}

// SourceStatus is the connection to NATS Streaming.
type SourceStatus struct {
	URL       string    `json:"url"`
	Embedded  bool      `json:"embedded"` // the server is in the worker
	Connected bool      `json:"connected"`
	Since     time.Time `json:"disconnected_since,omitzero"`
	Error     string    `json:"error,omitempty"`  // why it is not connected
	Paused    string    `json:"paused,omitempty"` // why no messages are accepted although it is connected
}

// GatewayStatus is the gateway that functions are called through.
type GatewayStatus struct {
	URL   string `json:"url"`
	Error string `json:"error,omitempty"` // why it did not answer the latest question about a function
}

// StoreStatus is the state of the store.
type StoreStatus struct {
	Durable      bool   `json:"durable"`         // outlives the process
	Path         string `json:"path,omitempty"`  // of a durable one
	Error        string `json:"error,omitempty"` // why outcomes cannot be persisted, or data not be read
	Full         string `json:"full,omitempty"`  // why nothing is accepted
	Ready        int    `json:"ready"`           // without those in flight
	Running      int    `json:"running"`         // in flight
	Delayed      int    `json:"delayed"`
	Dead         int    `json:"dead"`
	RequestBytes int64  `json:"request_bytes"` // of stored requests
	ResultBytes  int64  `json:"result_bytes"`
	MaxBytes     int64  `json:"max_bytes"`  // 0: no bound
	DiskBytes    uint64 `json:"disk_bytes"` // of its files
	FreeBytes    uint64 `json:"free_bytes"` // of its volume, 0 when unknown
}

// History counts the outcomes of attempts by minute, oldest first. The last minute is not
// complete.
type History struct {
	From    time.Time `json:"from"` // the beginning of the first minute: an hour ago, or the start of the worker
	Step    int       `json:"step_seconds"`
	Done    []uint32  `json:"done"`
	Retried []uint32  `json:"retried"`
	GivenUp []uint32  `json:"given_up"` // dead or dropped
}
