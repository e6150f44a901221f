// File waiting.go waits for the process that has data_dir, such as the pod before this one while its calls end.

package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"queue-worker/pkg/api"
	"queue-worker/pkg/duration"
	"queue-worker/pkg/store"
)

// lockPeriod is how often a folder in use is tried again.
const lockPeriod = 100 * time.Millisecond

// inUse is what callers read meanwhile.
var inUse = api.Wait{
	Reason: "store: data_dir is in use by another process", Hint: "Wait: the store is opened when the other process has ended.",
}

// onceFree returns what open returns, once that is not store.ErrLocked. It gives up when data_dir_wait has
// passed or ctx ends.
func (a *App) onceFree(ctx context.Context, state *api.Opening, open func() (store.Store, error)) (store.Store, error) {
	s, err := open()
	if !errors.Is(err, store.ErrLocked) || a.Config.DataDirWait == 0 {
		return s, err
	}
	a.logHolder(err)
	state.WaitFor(&inUse)
	defer state.WaitFor(nil)
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
	a.log.Warn("data_dir in use, waiting for it", "data_dir", a.Config.DataDir, "holder", holderOf(err), "data_dir_wait", a.Config.DataDirWait,
		"hint", "The start continues when that process has ended. Two workers that run side by side need a folder each.")
}
