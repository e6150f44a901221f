package api

// Parts for tests that need the clock of a bubble, where the real store, whose
// goroutines wait on the disk, does not fit.

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// emptyStore has nothing. What it does not define is not asked.
type emptyStore struct{ Store }

func (emptyStore) Letters(context.Context, store.Filter, string, int) (store.LetterPage, error) {
	return store.LetterPage{}, nil
}
func (emptyStore) Lanes() map[invocation.Lane]store.LaneStats                  { return nil }
func (emptyStore) Rest() map[string]store.LaneStats                            { return nil }
func (emptyStore) Groups(context.Context, store.Filter) ([]store.Group, error) { return nil, nil }

func (emptyStore) Load(invocation.ID) (*invocation.Invocation, []byte, error) {
	return nil, nil, store.ErrNotFound
}
func (emptyStore) Accept(_ store.Accept, done func(error))           { done(store.ErrClosed) }
func (emptyStore) Full() error                                       { return nil }
func (emptyStore) Get(invocation.ID) (*invocation.Invocation, error) { return nil, store.ErrNotFound }
func (emptyStore) Replay(context.Context, invocation.ID) error       { return store.ErrNotFound }
func (emptyStore) Drop(context.Context, invocation.ID) error         { return store.ErrNotFound }

var noMetrics = prometheus.NewRegistry()

func fine() error { return nil }

func logTo(b *lockedBuffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
