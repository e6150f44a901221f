// File watcher.go notifies the parts of what changes in the store.

package app

import (
	"context"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/worker"
)

// watcher is the one of the store: the lanes hand out what is ready, callers that wait are
// woken, and the intake acks messages.
type watcher struct {
	*worker.Lanes
	app *App
}

var _ store.Watcher = watcher{}

// Changing implements store.Watcher.
func (w watcher) Changing(changes []store.Change) (changed func(error)) {
	wake := w.app.watch.Changing(changes)
	if w.app.intake == nil || w.app.store.Durable() { // then no message waits for an outcome
		return wake
	}
	return func(err error) {
		if err == nil {
			w.app.intake.Changed(changes) // first: a caller that is woken may wait for the acks
		}
		wake(err)
	}
}

// forget returns when NATS Streaming has got the acks of finished invocations. With a
// durable store it got them long before.
func (a *App) forget(ctx context.Context) error {
	if a.store.Durable() {
		return nil
	}
	return a.intake.Flush(ctx)
}

// discarded reports an invocation that was given up and never stored.
func (a *App) discarded(inv *invocation.Invocation) {
	a.watch.Ended(store.End{Inv: inv, Outcome: invocation.OutcomeDropped, At: time.Now()})
}
