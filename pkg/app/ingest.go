// File ingest.go makes the parts that accept submissions over HTTP.

package app

import "queue-worker/pkg/api"

// ingest is what taking work in over HTTP needs.
func (a *App) ingest() *api.Ingest {
	c := a.Config
	i := &api.Ingest{
		Taker: a.newTaker(), CheckURL: a.checkURL, Queue: c.Channels[0],
		MaxBytes: c.MaxRequestBytes, Window: c.IdempotencyWindow, Auth: c.IngestAuth,
		Tracer: a.tracer,
	}
	if c.IngestCheck {
		i.Functions = a.functions
	}
	return i
}
