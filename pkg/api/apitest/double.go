// File double.go has stores for tests that need the clock of a bubble, where the real
// store, whose goroutines wait on the disk, does not fit.

package apitest

import (
	"context"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// EmptyStore has nothing. What it does not define is not asked.
type EmptyStore struct{ store.Store }

func (EmptyStore) Letters(context.Context, store.Filter, string, int) (store.LetterPage, error) {
	return store.LetterPage{}, nil
}
func (EmptyStore) Lanes() map[invocation.Lane]store.LaneStats                  { return nil }
func (EmptyStore) Rest() map[string]store.LaneStats                            { return nil }
func (EmptyStore) Groups(context.Context, store.Filter) ([]store.Group, error) { return nil, nil }

func (EmptyStore) Load(invocation.ID) (*invocation.Invocation, []byte, error) {
	return nil, nil, store.ErrNotFound
}
func (EmptyStore) Accept(_ store.Accept, done func(error))           { done(nil) }
func (EmptyStore) Full() error                                       { return nil }
func (EmptyStore) Get(invocation.ID) (*invocation.Invocation, error) { return nil, store.ErrNotFound }
func (EmptyStore) Replay(context.Context, invocation.ID) error       { return store.ErrNotFound }
func (EmptyStore) Drop(context.Context, invocation.ID) error         { return store.ErrNotFound }

// Durable implements ingest.Store.
func (EmptyStore) Durable() bool { return true }

// Failed implements ingest.Store.
func (EmptyStore) Failed() error { return nil }
