package api

// Health, readiness and metrics. They are open to everyone who reaches the port.

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes bounds the scrapes that are served at once; each gathers everything.
const maxScrapes = 8

func ping(w http.ResponseWriter, _ *http.Request) { writeText(w, "pong") }

// healthz tells whether the process can go on at all: what watches it may kill
// it when not. A door that is away is no reason for that.
func (a *api) healthz(w http.ResponseWriter, _ *http.Request) error {
	if err := a.Healthy(); err != nil {
		return &problem{
			status: http.StatusServiceUnavailable, Text: "this process cannot go on", Reason: unhealthy,
			Hint: "restart it; nothing confirmed is lost", Reasons: lines(err),
		}
	}
	writeText(w, "ok")
	return nil
}

// readyz tells whether work is taken in and done just now.
func (a *api) readyz(w http.ResponseWriter, _ *http.Request) error {
	if err := a.Ready(); err != nil {
		return &problem{
			status: http.StatusServiceUnavailable, Text: "not ready", Reason: notReady,
			Hint: "it goes on by itself when every reason is gone", Reasons: lines(err),
		}
	}
	writeText(w, "ok")
	return nil
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
