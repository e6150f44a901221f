// File state.go has health and readiness of the process.

package app

import (
	"errors"
	"fmt"
	"sync/atomic"
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
		errs = append(errs, fmt.Errorf("source: %w", err))
	}
	if err := a.descriptors.Lacks(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
