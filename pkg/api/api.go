// Package api is the HTTP surface of the queue-worker: health, metrics and submissions,
// which are open, and the admin endpoints, which are guarded. surface in this file lists
// all routes.
//
// A handler decodes, calls and encodes. An error that it returns becomes one JSON shape
// in problem.go. guard.go decides once, before a guarded handler, who may read and change
// stored invocations. Text of callers is shown only through redact.go, so that no
// credential leaves in an answer.
//
// The package keeps no state and starts no goroutine. It does not listen: see NewServer
// for the limits of the server.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"queue-worker/pkg/finished"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/jobs"
	"queue-worker/pkg/store"
)

// Letters reads the dead set.
type Letters interface {
	// Letters reads up to limit dead letters that pass a filter, oldest first, from
	// after cursor ("": from the start). A page that has a Next may be short.
	// store.ErrBadCursor for a cursor that it did not give.
	Letters(ctx context.Context, f store.Filter, cursor string, limit int) (store.LetterPage, error)
	// Groups counts the dead letters that pass a filter, largest group first.
	Groups(context.Context, store.Filter) ([]store.Group, error)
	// Load reads an invocation in any state and its QueueRequest, which is the
	// caller's. store.ErrNotFound when there is none.
	Load(invocation.ID) (*invocation.Invocation, []byte, error)
	// Get is Load without the QueueRequest.
	Get(invocation.ID) (*invocation.Invocation, error)
}

// Acts change the dead set. Both return when the change is durable, or
// store.ErrNotFound when no dead letter has the id. When ctx ends first, the
// change may still be carried out.
type Acts interface {
	// Replay makes a dead letter ready to be called at once.
	Replay(context.Context, invocation.ID) error
	// Drop removes a dead letter for good.
	Drop(context.Context, invocation.ID) error
}

// Store is what the API shows and changes.
type Store interface {
	Letters
	Acts
	Importer
	Invocations
	Results
	Lanes
}

var _ Store = store.Store(nil)

// Options are what the API needs. Store, Queues, Gatherer, Healthy and Ready are
// required.
type Options struct {
	Store Store
	// Names says which names are one function.
	Names invocation.Names
	// Queues are the queues that are read; the first one is the default.
	Queues []string
	// Functions says which functions exist; nil when no gateway can be queried.
	Functions Functions
	// Jobs carries out bulk acts; nil for none.
	Jobs *jobs.Jobs
	// Watch reports finished invocations. Without it there are no invocations and no
	// functions to look at; with it all up to Pauses are required too.
	Watch *finished.Watch
	Hands Hands
	// Forget returns when nothing that was cancelled before can come back with a
	// restart; nil where it never can.
	Forget   func(context.Context) error
	Policies Policies
	Activity Activity
	Pauses   Pauses
	// MaxResponseBytes bounds the body of a result.
	MaxResponseBytes int64
	// Durable reports whether the dead set outlives the process. Listings say so.
	Durable bool
	// BasicAuth asks for the credentials in SecretDir, in the files basic-auth-user
	// and basic-auth-password. Without it only this machine may see and change what
	// is stored, unless AdminOpen lets everyone.
	BasicAuth bool
	SecretDir string
	AdminOpen bool
	// Ingest is for the paths that take work in; nil: there are none.
	Ingest   *Ingest
	Gatherer prometheus.Gatherer
	// Healthy returns nil unless only a restart can help.
	Healthy func() error
	// Ready returns nil, or every reason why no work is accepted or done, one a line.
	Ready   func() error
	Version string
	Logger  *slog.Logger // nil: nothing is logged
}

// api is what the handlers share.
type api struct {
	Options
	guard  *guard
	ingest *ingest // nil: nothing is accepted
	log    *slog.Logger
	raw    *semaphore.Weighted // bytes of QueueRequests that answers may hold at once
	size   pageSize
	wait   time.Duration // for a change to become durable
	// arrival is how long is waited for what is on its way to here.
	arrival time.Duration

	imports *semaphore.Weighted // one at a time
}

// New makes the handler. It opens nothing but, with BasicAuth, the files of the
// credentials; when they cannot be read it warns and continues, because only the
// dead set depends on them.
func New(o Options) (http.Handler, error) {
	a, err := newAPI(o)
	if err != nil {
		return nil, err
	}
	return a.routes(), nil
}

func newAPI(o Options) (*api, error) {
	if o.Store == nil || len(o.Queues) == 0 || o.Gatherer == nil || o.Healthy == nil || o.Ready == nil {
		return nil, errors.New("api: Store, Queues, Gatherer, Healthy and Ready are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &api{
		Options: o, guard: newGuard(o), log: o.Logger,
		raw: semaphore.NewWeighted(rawBytes), size: defaultPageSize, wait: actTimeout, arrival: arrival,
		imports: semaphore.NewWeighted(1),
	}
	if o.Ingest != nil {
		a.ingest = newIngest(a)
	}
	return a, nil
}

// routes is the whole surface.
func (a *api) routes() http.Handler { return a.outermost(a.surface()) }

// surface puts every path to its handlers.
func (a *api) surface() *surface {
	mux := newSurface()
	a.healthRoutes(mux)
	a.deadRoutes(mux)
	if a.Jobs != nil {
		a.jobRoutes(mux)
	}
	if a.ingest != nil {
		a.ingest.routes(mux)
	}
	if a.Watch != nil {
		a.invocationRoutes(mux)
		a.functionRoutes(mux)
	}
	mux.rest(problemPath)
	return mux
}

// healthRoutes are open to every client.
func (a *api) healthRoutes(mux *surface) {
	open := func(path string, h http.Handler) { mux.Handle(path, methods{http.MethodGet: h}) }
	open("/ping", http.HandlerFunc(ping))
	open("/healthz", a.handle(a.healthz))
	open("/readyz", a.handle(a.readyz))
	open("/openapi.yaml", http.HandlerFunc(document))
	metrics := a.metrics()
	open("/metrics", metrics)
	open("/_metrics", metrics) // where the mailbox and its scrapers had it
}

// deadRoutes show and change the dead set.
func (a *api) deadRoutes(mux *surface) {
	whole := methods{http.MethodGet: a.handle(a.lookAtDead)}
	if a.Jobs != nil {
		whole[http.MethodDelete] = a.handle(a.dropOldest)
		a.guarded(mux, "/v1/dead_set/replay", methods{http.MethodPost: a.handle(a.replayOldest)})
	}
	a.guarded(mux, "/v1/dead_set", whole)
	a.guarded(mux, "/v1/dead_set/groups", methods{http.MethodGet: a.handle(a.groupDead)})
	a.guarded(mux, "/v1/dead_set/export", methods{http.MethodGet: a.handle(a.exportDead)})
	a.guarded(mux, "/v1/dead_set/import", methods{http.MethodPost: a.handle(a.importDead)})
	a.guarded(mux, "/v1/dead_set/{id}", methods{http.MethodGet: a.handle(a.showDead), http.MethodDelete: a.handle(a.dropDead)})
	a.guarded(mux, "/v1/dead_set/{id}/replay", methods{http.MethodPost: a.handle(a.replayDead)})
}

// guarded serves a path to those who may see and change what is stored.
func (a *api) guarded(mux *surface, path string, m methods) {
	for method, h := range m {
		m[method] = a.guard.admit(h)
	}
	mux.Handle(path, m)
}
