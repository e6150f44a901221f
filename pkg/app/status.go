// File status.go describes the worker and its store for GET /v1/status.

package app

import (
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// status is the state of the worker and of its store, but for what pkg/admin knows better.
func (a *App) status() wire.Status {
	return wire.Status{Worker: a.workerStatus(), Store: a.storeStatus()}
}

func (a *App) workerStatus() wire.WorkerStatus {
	w := wire.WorkerStatus{
		Version: a.Version, Started: a.started.UTC(), Ready: true, Reasons: []string{}, Draining: a.state.draining.Load(),
		Slots: wire.Slots{Used: a.inFlight(), Max: a.Config.MaxInflight}, Queues: a.queueStatus(), Source: a.sourceStatus(),
		Gateway:     wire.GatewayStatus{URL: a.Config.GatewayURL.Redacted(), Error: a.functions.Trouble()},
		Unaccounted: a.store.Stats().Difference(),
	}
	if err := a.ready(); err != nil {
		w.Ready, w.Reasons = false, respond.Lines(err)
	}
	return w
}

func (a *App) queueStatus() []wire.QueueStatus {
	running := map[string]int{}
	for lane, n := range a.lanes.InFlight() {
		running[lane.Queue] += n
	}
	all := []wire.QueueStatus{}
	for _, name := range a.Config.Channels {
		all = append(all, wire.QueueStatus{Name: name, Limit: a.Config.QueueLimits[name], Running: running[name]})
	}
	return all
}

func (a *App) sourceStatus() wire.SourceStatus {
	s := wire.SourceStatus{URL: a.intake.URL(), Embedded: a.server != nil, Connected: true}
	since, down := a.intake.Down()
	if down != nil {
		s.Connected, s.Since, s.Error = false, since.UTC(), down.Error()
		return s
	}
	if err := a.intake.Ready(); err != nil {
		s.Paused = err.Error()
	}
	return s
}

func (a *App) storeStatus() wire.StoreStatus {
	st, u := a.store.Stats(), a.store.Usage()
	running := a.inFlight()
	s := wire.StoreStatus{
		Durable: a.store.Durable(), Path: a.Config.DataDir,
		Ready: max(st.Ready-running, 0), Running: running, Delayed: st.Delayed, Dead: st.Dead,
		RequestBytes: st.Bytes, ResultBytes: st.ResultBytes, MaxBytes: u.LimitBytes, DiskBytes: u.DiskBytes, FreeBytes: u.FreeBytes,
	}
	if err := a.store.Health(); err != nil {
		s.Error = err.Error()
	}
	if err := a.store.Full(); err != nil && a.store.Err() == nil {
		s.Full = err.Error()
	}
	return s
}
