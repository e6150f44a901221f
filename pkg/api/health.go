// File health.go has health, readiness and metrics, which are open to every client.

package api

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// maxScrapes bounds the scrapes that are served at once; each gathers everything.
const maxScrapes = 8

func ping(w http.ResponseWriter, _ *http.Request) { respond.Text(w, "pong") }

// healthz reports whether the process can continue at all: what watches it may kill
// it when not. An unreachable NATS Streaming is no reason for that.
func (a *api) healthz(w http.ResponseWriter, r *http.Request) error {
	if err := a.Healthy(); err != nil {
		p := respond.NewProblem(http.StatusServiceUnavailable, wire.Unhealthy, "the worker has failed", "Restart it; nothing confirmed is lost.")
		p.Reasons = a.reasons(r, err, 1)
		return p
	}
	respond.Text(w, "ok")
	return nil
}

// readyz reports whether invocations are accepted and called now.
func (a *api) readyz(w http.ResponseWriter, r *http.Request) error {
	if err := a.Ready(); err != nil {
		p := respond.NewProblem(http.StatusServiceUnavailable, wire.NotReady, "not ready", "Wait, or remove the reasons; the worker becomes ready when all are gone.")
		p.Reasons = a.reasons(r, err, 2)
		return p
	}
	respond.Text(w, "ok")
	return nil
}

// reasons are the errors of a joined one: whole for those who may see what is
// stored, and without causes for all others. parts is as in withoutCauses.
func (a *api) reasons(r *http.Request, err error, parts int) []string {
	if _, refusal := a.guard.who(r); refusal != nil {
		return respond.WithoutCauses(err, parts)
	}
	return respond.Lines(err)
}

// metrics serves what can be gathered, even when a part of it cannot.
func (a *api) metrics() http.Handler {
	return promhttp.HandlerFor(a.Gatherer, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
	})
}
