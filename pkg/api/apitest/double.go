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

// Letters implements store.Store.
func (EmptyStore) Letters(context.Context, store.Filter, string, int) (store.LetterPage, error) {
	return store.LetterPage{}, nil
}

// Lanes implements store.Store.
func (EmptyStore) Lanes() map[invocation.Lane]store.LaneStats { return nil }

// Rest implements store.Store.
func (EmptyStore) Rest() map[string]store.LaneStats { return nil }

// Groups implements store.Store.
func (EmptyStore) Groups(context.Context, store.Filter) ([]store.Group, error) { return nil, nil }

// Load implements store.Store.
func (EmptyStore) Load(context.Context, invocation.ID) (*invocation.Invocation, []byte, error) {
	return nil, nil, store.ErrNotFound
}

// Accept implements store.Store.
func (EmptyStore) Accept(_ store.Accept, done func(error)) { done(nil) }

// Full implements store.Store.
func (EmptyStore) Full() error { return nil }

// Get implements store.Store.
func (EmptyStore) Get(context.Context, invocation.ID) (*invocation.Invocation, error) {
	return nil, store.ErrNotFound
}

// End implements store.Store.
func (EmptyStore) End(context.Context, invocation.ID) (*store.End, error) {
	return nil, store.ErrNotFound
}

// EndsOfCall implements store.Store.
func (EmptyStore) EndsOfCall(context.Context, string, int) ([]*store.End, error) { return nil, nil }

// Replay implements store.Store.
func (EmptyStore) Replay(context.Context, invocation.ID) error { return store.ErrNotFound }

// Drop implements store.Store.
func (EmptyStore) Drop(context.Context, invocation.ID) error { return store.ErrNotFound }

// Durable implements store.Store.
func (EmptyStore) Durable() bool { return true }

// Failed implements store.Store.
func (EmptyStore) Failed() error { return nil }
