//go:build !nostan

// File embedded.go starts embedded NATS Streaming.

package app

import (
	"context"
	"log/slog"

	"queue-worker/pkg/config"
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

// ServeNATS runs NATS Streaming alone, for workers in other processes of this machine.
func ServeNATS(c *config.Config, dir string, log *slog.Logger) (stop func(), err error) {
	return stanserver.StartPlain(stanserver.Options{Listen: c.StanListenAddress, Cluster: c.NATSCluster, Dir: dir, Logger: log})
}
