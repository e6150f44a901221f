// File waiting.go waits for the process that has data_dir, such as the pod before this one while its calls end.

package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"queue-worker/pkg/duration"
	"queue-worker/pkg/store"
)

// lockPeriod is how often a folder in use is tried again.
const lockPeriod = 100 * time.Millisecond

// onceFree returns what open returns, once that is not store.ErrLocked. It gives up when data_dir_wait has
// passed or ctx ends.
func (a *App) onceFree(ctx context.Context, state *opening, open func() (store.Store, error)) (store.Store, error) {
	s, err := open()
	if !errors.Is(err, store.ErrLocked) || a.Config.DataDirWait == 0 {
		return s, err
	}
	a.logHolder(err)
	state.inUse.Store(true)
	defer state.inUse.Store(false)
	begun := time.Now()
	tick := time.NewTicker(lockPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
		s, err = open()
		switch waited := time.Since(begun); {
		case !errors.Is(err, store.ErrLocked):
			a.log.Info("data_dir free", "waited", waited.Round(time.Millisecond))
			return s, err
		case waited >= a.Config.DataDirWait:
			return nil, fmt.Errorf("%w; data_dir_wait (%s) has passed", err, duration.Format(a.Config.DataDirWait))
		}
	}
}

// logHolder names the process that has data_dir.
func (a *App) logHolder(err error) {
	holder := "unknown"
	if l, ok := errors.AsType[*store.LockedError](err); ok && l.Holder != "" {
		holder = l.Holder
	}
	a.log.Warn("data_dir in use, waiting for it", "data_dir", a.Config.DataDir, "holder", holder, "data_dir_wait", a.Config.DataDirWait,
		"hint", "The start continues when that process has ended. Two workers that run side by side need a folder each.")
}
