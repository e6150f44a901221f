// Package admin shows and changes over HTTP what the worker has stored: the dead set, in
// our own form and in ziggurat's, invocations in every state, functions and jobs.
//
// Each exported method of Admin is the handler of one operation. It decodes, calls and
// encodes, and returns an error before it has written anything. pkg/api has the table of
// the paths, decides who may call a handler, and answers errors. Text of callers is shown
// only through redact.go, so that no credential leaves in an answer.
//
// The package keeps no state and starts no goroutine. It does not decide what happens to
// an invocation.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/semaphore"

	"queue-worker/pkg/finished"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/jobs"
	"queue-worker/pkg/pause"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
	"queue-worker/pkg/worker"
)

// Functions knows which functions exist.
type Functions interface {
	// Known reports whether a function exists, and whether that is sure.
	Known(ctx context.Context, function string) (known, sure bool)
	// Names are the functions that the gateway lists, none when it does not.
	Names(ctx context.Context) []string
}

// Options are what the handlers need. All are required but Functions, Forget, Example and
// Logger.
type Options struct {
	Store store.Store
	// Names says which names are one function.
	Names invocation.Names
	// Queues are the queues that are read; the first one is the default.
	Queues []string
	// Functions says which functions exist; nil when no gateway can be queried.
	Functions Functions
	// Jobs carries out bulk replays, drops and purges.
	Jobs *jobs.Jobs
	// Watch reports finished invocations.
	Watch  *finished.Watch
	Calls  Calls
	Worker *worker.Worker
	Lanes  Lanes
	Pauses *pause.Keeper
	// Forget returns when nothing that was cancelled before can come back with a
	// restart; nil where it never can.
	Forget func(context.Context) error
	// Arrival is how long is waited for what is on its way to the store; 0 with a durable
	// store, which has everything that was accepted.
	Arrival time.Duration
	// State describes the worker and its store, but for the summary and the history. It is
	// called for each GET /v1/status.
	State   func() wire.Status
	Started time.Time // when the worker started
	// Example is a function that can be made to fail, for a first try; "" for none.
	Example string
	// MaxResponseBytes bounds the body of a result.
	MaxResponseBytes int64
	// Durable reports whether the dead set outlives the process. Listings say so.
	Durable bool
	Logger  *slog.Logger // nil: nothing is logged
}

// Admin has the handlers.
type Admin struct {
	Options
	log     *slog.Logger
	raw     *semaphore.Weighted // bytes of QueueRequests that answers may have in memory at once
	size    pageSize
	wait    time.Duration       // for a change to become durable
	imports *semaphore.Weighted // one at a time
}

// New makes the handlers. It opens nothing.
func New(o Options) (*Admin, error) {
	if o.Store == nil || len(o.Queues) == 0 || o.Watch == nil || o.Calls == nil {
		return nil, errors.New("admin: Store, Queues, Watch and Calls are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Admin{
		Options: o, log: o.Logger,
		raw: semaphore.NewWeighted(rawBytes), size: defaultPageSize, wait: actTimeout,
		imports: semaphore.NewWeighted(1),
	}, nil
}

type callerKey struct{}

// WithCaller notes the name of the client that was admitted, for the log and for jobs.
func WithCaller(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, callerKey{}, name)
}

// callerOf is the name of the client that was admitted.
func callerOf(ctx context.Context) string {
	by, _ := ctx.Value(callerKey{}).(string)
	return by
}

type actorKey struct{}

// WithActor notes that the client may carry out the operations of pages.
func WithActor(ctx context.Context) context.Context { return context.WithValue(ctx, actorKey{}, true) }

// mayAct reports whether the client may carry out the operations of pages.
func mayAct(ctx context.Context) bool { return ctx.Value(actorKey{}) != nil }

type readOnlyKey struct{}

// WithReadOnly notes that the client is the read-only account.
func WithReadOnly(ctx context.Context) context.Context {
	return context.WithValue(ctx, readOnlyKey{}, true)
}

// Keys of log lines.
const (
	keyID    = "id"
	keyBy    = "by"
	keyPeer  = "peer"
	keyAct   = "act"
	keyJob   = "job"
	keyCount = "count"
	keyRoute = "route"
	keyError = "error"
)
