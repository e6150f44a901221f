// File http.go makes the HTTP surface and answers on the listener.

package app

import (
	"context"
	"errors"
	"net"
	"net/http"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/api"
	"queue-worker/pkg/ingest"
	"queue-worker/pkg/listen"
)

// serve answers HTTP on the listener.
func (a *App) serve(context.Context) error {
	handler, err := a.handler()
	if err != nil {
		return err
	}
	server := api.NewServer(handler, a.log)
	capped := listen.Cap(a.listener, a.shares().Callers, a.log, a.descriptors)
	server.ConnState = func(conn net.Conn, s http.ConnState) { capped.Busy(conn, s == http.StateActive) }
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(capped); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("HTTP listener failed", "address", a.listener.Addr().String(), "error", err)
		}
	}()
	a.onTeardown("HTTP server", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		err := server.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close()
		}
		<-done
		return err
	})
	a.log.Info("listening", "address", a.listener.Addr().String())
	return nil
}

// handler makes the handler of all paths.
func (a *App) handler() (http.Handler, error) {
	c := a.Config
	in, err := a.ingest()
	if err != nil {
		return nil, err
	}
	o := admin.Options{
		Store: a.store, Names: a.names, Queues: c.Channels, Functions: a.functions, Jobs: a.jobs, Watch: a.watch,
		Calls: a.worker, Worker: a.worker, Lanes: a.lanes, Pauses: a.pauses, Forget: a.forget,
		State: a.status, Started: a.started, Example: a.Example,
		MaxResponseBytes: c.MaxResponseBytes, Durable: a.store.Durable(), Logger: a.log,
	}
	if !o.Durable {
		o.Arrival = admin.Arrival
	}
	ad, err := admin.New(o)
	if err != nil {
		return nil, err
	}
	return api.New(api.Options{
		Admin: ad, Ingest: in, Gatherer: a.registry, Healthy: a.healthy, Ready: a.ready,
		BasicAuth: c.BasicAuth, SecretDir: c.SecretMountPath, AdminOpen: c.AdminOpen, IngestAuth: c.IngestAuth,
		Console: c.Console, ConsoleActions: c.ConsoleActions, Version: a.Version, Logger: a.log,
	})
}

// ingest makes the handlers that accept work.
func (a *App) ingest() (*ingest.Ingest, error) {
	c := a.Config
	o := ingest.Options{
		Accept: a.worker.Accept, Store: a.store, Published: a.intake, Draining: a.state.draining.Load, Accepted: a.submitted.Submitted,
		Names: a.names, CheckURL: a.checkURL, Queue: c.Channels[0], MaxBytes: c.MaxRequestBytes, Window: c.IdempotencyWindow,
		Tracer: a.tracer, Metrics: ingest.NewMetrics(a.registry), Logger: a.log,
	}
	if c.IngestCheck {
		o.Functions = a.functions
	}
	return ingest.New(o)
}
