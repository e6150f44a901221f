// File health.go has health, readiness and metrics, which are open to every client.

package api

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes bounds the scrapes that are served at once; each gathers everything.
const maxScrapes = 8

func ping(w http.ResponseWriter, _ *http.Request) { writeText(w, "pong") }

// healthz reports whether the process can continue at all: what watches it may kill
// it when not. An unreachable NATS Streaming is no reason for that.
func (a *api) healthz(w http.ResponseWriter, r *http.Request) error {
	if err := a.Healthy(); err != nil {
		return &problem{
			status: http.StatusServiceUnavailable, Text: "the worker has failed", Reason: unhealthy,
			Hint: "Restart it; nothing confirmed is lost.", Reasons: a.reasons(r, err, 1),
		}
	}
	writeText(w, "ok")
	return nil
}

// readyz reports whether invocations are accepted and called now.
func (a *api) readyz(w http.ResponseWriter, r *http.Request) error {
	if err := a.Ready(); err != nil {
		return &problem{
			status: http.StatusServiceUnavailable, Text: "not ready", Reason: notReady,
			Hint: "Wait, or remove the reasons; the worker becomes ready when all are gone.", Reasons: a.reasons(r, err, 2),
		}
	}
	writeText(w, "ok")
	return nil
}

// reasons are the errors of a joined one: whole for those who may see what is
// stored, and without causes for all others. parts is as in withoutCauses.
func (a *api) reasons(r *http.Request, err error, parts int) []string {
	if _, refusal := a.guard.who(r); refusal != nil {
		return withoutCauses(err, parts)
	}
	return lines(err)
}

// withoutCauses are the errors of a joined one, each cut after its first parts of
// text before a colon. Those are the worker's own words. What is behind them comes
// from libraries and the system, and names files and addresses.
func withoutCauses(err error, parts int) []string {
	all := lines(err)
	for i, line := range all {
		if words := strings.Split(line, ": "); len(words) > parts {
			all[i] = strings.Join(words[:parts], ": ")
		}
	}
	return all
}

// lines are the errors of a joined one.
func lines(err error) []string { return strings.Split(err.Error(), "\n") }

// metrics serves what can be gathered, even when a part of it cannot.
func (a *api) metrics() http.Handler {
	return promhttp.HandlerFor(a.Gatherer, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
	})
}
