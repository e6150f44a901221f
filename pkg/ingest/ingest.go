// Package ingest accepts work over HTTP: calls of functions at /async-function, requests
// for the mailbox at /deadletter, and messages of the callback producer at /queue/producer.
//
// A body is read into its stored form while it arrives. All bodies together are bounded:
// uploads that are too slow give way to others, see room.go and pool.go. 202 is answered when
// the invocation is durable.
//
// pkg/api has the paths and checks credentials before. The package does not call functions.
package ingest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/trace"
	"queue-worker/pkg/wire"
)

// Functions knows which functions exist.
type Functions interface {
	// Known reports whether a function exists, and whether that is sure.
	Known(ctx context.Context, function string) (known, sure bool)
}

// Options are what accepting work needs. All are required but Functions, Tracer and Logger.
type Options struct {
	// Accept stores an invocation; see worker.Worker.
	Accept func(store.Accept, func(error))
	Store  Store
	// Published is where work is accepted when the store is not durable.
	Published Queue
	// Draining reports whether the worker is shutting down.
	Draining func() bool
	// Accepted is called for each invocation that a durable store has accepted.
	Accepted func(queue string)
	// Functions is asked before an invocation is accepted; nil: every name is fine.
	Functions Functions
	// Names says which names are one function.
	Names invocation.Names
	// CheckURL reads the URL of a callback; its error says nothing secret.
	CheckURL func(raw string) (*url.URL, error)
	// Queue is the queue of accepted work.
	Queue string
	// MaxBytes bounds a body.
	MaxBytes int64
	// Window is how long an Idempotency-Key is known; 0: it means nothing.
	Window time.Duration
	Tracer *trace.Tracer // nil makes no spans
	// Metrics come from NewMetrics; nil counts nothing.
	Metrics *Metrics
	Logger  *slog.Logger // nil: nothing is logged
}

// takeTimeout is how long is waited for work to become durable. It takes
// milliseconds, unless the disk is full or NATS Streaming hangs.
const takeTimeout = 10 * time.Second

// Ingest has the handlers.
type Ingest struct {
	Options
	log     *slog.Logger
	durable bool // whether work is accepted in the store
	room    *bodyRoom
	keys    keyLocks
}

// New makes the handlers.
func New(o Options) (*Ingest, error) {
	if o.Accept == nil || o.Store == nil || o.Published == nil || o.Draining == nil || o.Accepted == nil || o.CheckURL == nil || o.Queue == "" {
		return nil, errors.New("ingest: Accept, Store, Published, Draining, Accepted, CheckURL and Queue are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Ingest{Options: o, log: o.Logger, durable: o.Store.Durable(), room: newBodyRoom(roomFor(o.MaxBytes))}, nil
}

type guestKey struct{}

// WithGuest marks the requests of a client without credentials, where the worker knows any.
func WithGuest(ctx context.Context) context.Context { return context.WithValue(ctx, guestKey{}, true) }

func isGuest(ctx context.Context) bool { return ctx.Value(guestKey{}) != nil }

// accept runs the rest of a handler while work is accepted. It answers errors of accepting
// with their problems, and reads the rest of a refused body.
func (i *Ingest) accept(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error {
	err := i.refusal(r)
	if err == nil {
		c := http.NewResponseController(w)
		_ = c.SetWriteDeadline(time.Now().Add(bodyTimeout + roomTimeout + takeTimeout + respond.WriteTimeout)) // every connection of a server can
		err = next(w, r)
	}
	if err != nil {
		i.Discard(r)
	}
	if p := problemOfTaking(err); p != nil {
		err = p
	}
	i.Metrics.count(err)
	return err
}

// refusal is nil, or why nothing is accepted from this request whatever it says.
func (i *Ingest) refusal(r *http.Request) error {
	if r.ContentLength > i.MaxBytes {
		return problemBody
	}
	return i.open()
}

// confirm accepts a submission and names it in the header of the answer. A client that
// goes away does not stop it: its key has to be remembered once it was accepted.
func (i *Ingest) confirm(w http.ResponseWriter, r *http.Request, s submission) (receipt, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), takeTimeout)
	defer cancel()
	got, err := i.take(ctx, s)
	if _, ok := errors.AsType[*store.KeyError](err); ok {
		return got, problemKey
	}
	if err != nil {
		return got, err
	}
	h := w.Header()
	h.Set(invocation.HeaderCallID, got.callID)
	h.Set(wire.HeaderInvocationID, got.id.String())
	return got, nil
}

// accepted is the answer of the gateway: 202 and an empty body.
func accepted(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusAccepted)
	return nil
}
