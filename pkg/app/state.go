// File state.go has health and readiness of the process.

package app

import (
	"errors"
	"fmt"
	"sync/atomic"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// state is what only this package knows of readiness.
type state struct{ draining atomic.Bool }

func (s *state) drain() { s.draining.Store(true) }

var errDraining = errors.New("draining: the process is about to end")

// healthy is nil unless only a restart can help.
func (a *App) healthy() error { return a.store.Failed() }

// ready is nil when work is accepted and done, or every reason why not.
func (a *App) ready() error {
	if a.state.draining.Load() {
		return errDraining
	}
	var errs []error
	if err := a.store.Health(); err != nil {
		errs = append(errs, fmt.Errorf("store: %w", err))
	}
	if err := a.intake.Ready(); err != nil {
		errs = append(errs, fmt.Errorf("door: %w", err))
	}
	if err := a.descriptors.Lacks(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// settled reports to the intake that an invocation has finished.
func (a *App) settled(id, callback invocation.ID) { a.intake.Settled(id, callback) }

// keeper is the store as the intake sees it: without a dead set, what is dead on
// arrival is logged and not kept.
type keeper struct {
	store.Store
	app *App
}

// Accept implements intake.Store.
func (k keeper) Accept(x store.Accept, done func(error)) {
	dead := x.Inv.State == invocation.Dead
	if dead && !k.app.Config.DeadSet {
		k.app.log.Warn("discarded", "id", x.Inv.ID.String(), "call_id", x.Inv.CallID, "reason", string(x.Inv.Reason), "detail", x.Inv.Detail)
		k.app.metrics.GivenUp(x.Inv, false)
		k.app.watch.Ended(endOf(x.Inv, invocation.OutcomeDropped))
		done(nil)
		return
	}
	k.Store.Accept(x, func(err error) {
		if dead && err == nil {
			k.app.metrics.GivenUp(x.Inv, true)
		}
		if err == nil {
			k.app.watch.Changed(x.Inv) // a request may wait for it already
		}
		done(err)
	})
}
