//go:build !nostan

// File embedded.go starts embedded NATS Streaming.

package app

import (
	"context"

	"queue-worker/pkg/intake"
	"queue-worker/pkg/stanserver"
)

// startEmbedded starts the server. Without a folder it keeps its messages in memory.
func (a *App) startEmbedded(ctx context.Context, dir, credentials string) (embeddedServer, error) {
	o := stanserver.Options{
		Listen: a.Config.StanListenAddress, Cluster: a.Config.NATSCluster, Queues: a.Config.Channels, Group: a.Config.QueueGroup, WorkerPrefix: intake.ClientIDPrefix,
		Credentials: credentials, Dir: dir, MaxPublishers: a.shares().Publishers, Descriptors: a.descriptors, Logger: a.log,
	}
	return unlessStopped(ctx, func() (embeddedServer, error) { return stanserver.Start(o) }, func(s embeddedServer) { s.Close() })
}
