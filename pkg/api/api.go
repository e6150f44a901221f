// Package api is the HTTP surface of the queue-worker: health, metrics and submissions,
// which are open, and the admin endpoints, which are guarded. table in routes.go lists
// all operations.
//
// The handlers are those of pkg/ingest and pkg/admin. This package decides before them who
// may call which: see guard.go. An error that a handler returns becomes one JSON shape, see
// route.go.
//
// The package keeps no state and starts no goroutine. It does not listen: see NewServer
// for the limits of the server.
package api

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/ingest"
)

// Options are what the API needs. All up to Ready are required.
type Options struct {
	Admin    *admin.Admin
	Ingest   *ingest.Ingest
	Gatherer prometheus.Gatherer
	// Healthy returns nil unless only a restart can help.
	Healthy func() error
	// Ready returns nil, or every reason why no work is accepted or done, one a line.
	Ready func() error
	// BasicAuth asks for the credentials in SecretDir, in the files basic-auth-user
	// and basic-auth-password, or for those of the read-only account, in the files
	// basic-auth-read-user and basic-auth-read-password. Without it only this machine may see and change what
	// is stored, unless AdminOpen lets everyone.
	BasicAuth bool
	SecretDir string
	AdminOpen bool
	// Console serves the pages of the web console.
	Console bool
	// ConsoleActions lets the pages carry out operations.
	ConsoleActions bool
	// IngestAuth asks for the credentials on the paths that accept work too.
	IngestAuth bool
	Version    string
	Logger     *slog.Logger // nil: nothing is logged
}

// api is what the handlers share.
type api struct {
	Options
	guard *guard
	log   *slog.Logger
}

// New makes the handler. It opens nothing but, with BasicAuth, the files of the
// credentials; when they cannot be read it warns and continues, because only the
// guarded paths depend on them.
func New(o Options) (http.Handler, error) {
	a, err := newAPI(o)
	if err != nil {
		return nil, err
	}
	return a.outermost(a.mux()), nil
}

func newAPI(o Options) (*api, error) {
	if o.Admin == nil || o.Ingest == nil || o.Gatherer == nil || o.Healthy == nil || o.Ready == nil {
		return nil, errors.New("api: Admin, Ingest, Gatherer, Healthy and Ready are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &api{Options: o, guard: newGuard(o), log: o.Logger}, nil
}
