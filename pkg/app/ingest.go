package app

// How the parts are made that take work in over HTTP.

import (
	"queue-worker/pkg/api"
	"queue-worker/pkg/gateway"
)

// ingest is what taking work in over HTTP needs.
func (a *App) ingest(functions api.Functions) *api.Ingest {
	c := a.Config
	i := &api.Ingest{
		Taker: a.newTaker(), CheckURL: a.checkURL, Queue: c.Channels[0],
		MaxBytes: c.MaxRequestBytes, Window: c.IdempotencyWindow, Auth: c.IngestAuth,
	}
	if c.IngestCheck {
		i.Functions = functions
	}
	return i
}

// functions asks the gateway, with the credentials of OpenFaaS where there are any.
func (a *App) functions() *gateway.Functions {
	s := &secret{dir: a.Config.SecretMountPath}
	f := gateway.New(gateway.Options{
		URL: a.Config.GatewayURL, Names: a.names, Credentials: s.credentials, Version: a.Version, Logger: a.log,
	})
	a.onTeardown("questions to the gateway", func() error { f.Close(); return nil })
	return f
}
