package stanserver

import (
	"fmt"
	"os"
	"slices"

	natsserver "github.com/nats-io/nats-server/v2/server"
	streaming "github.com/nats-io/nats-streaming-server/server"
	"github.com/nats-io/nats-streaming-server/stores"
	"github.com/nats-io/nats.go"
)

// runStreaming runs NATS Streaming on ns. The library panics where it meets files
// that it cannot read; that is an error here.
func runStreaming(o Options, ns *natsserver.Server, repair bool) (s *streaming.StanServer, err error) {
	defer func() {
		if r := recover(); r != nil {
			s, err = nil, fmt.Errorf("%v", r)
		}
	}()
	return streaming.RunServerWithOpts(streamingOptions(o, ns, repair), nil)
}

func streamingOptions(o Options, ns *natsserver.Server, repair bool) *streaming.Options {
	so := streaming.GetDefaultOptions()
	so.ID = o.Cluster
	so.CustomLogger = &serverLog{o.Logger}
	so.ClientHBInterval = heartbeatInterval
	so.ClientHBTimeout = heartbeatTimeout
	so.ClientHBFailCount = heartbeatFails

	// A URL keeps the library from starting a nats-server of its own; it is never dialled.
	so.NATSServerURL = "nats://in-process:4222"
	so.NATSClientOpts = []nats.Option{nats.InProcessServer(ns)}

	// Count and age would take unread messages as well as read ones, and so would
	// the end of an idle channel. Bytes are the one bound: see the package comment.
	so.MaxMsgs = 0
	so.MaxAge = 0
	so.MaxInactivity = 0
	so.MaxBytes = o.retention
	so.MaxChannels = maxChannels(o)
	so.StoreType = stores.TypeMemory
	if o.Dir != "" {
		so.StoreType = stores.TypeFile
		so.FilestoreDir = o.Dir
		so.FileStoreOpts.DoSync = true
		so.FileStoreOpts.SliceMaxBytes = slice
		so.FileStoreOpts.TruncateUnexpectedEOF = repair
	}
	return so
}

// maxChannels is one for each queue, and one for each channel that the folder has
// beside those: a queue that was configured once, or that an earlier version let a
// publisher make up. The server counts those too.
func maxChannels(o Options) int {
	n := len(o.Queues)
	entries, _ := os.ReadDir(o.Dir) // without a folder there are none
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(o.Queues, e.Name()) {
			n++
		}
	}
	return max(n, 1)
}
