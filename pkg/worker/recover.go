// File recover.go handles the invocations that were in flight when the previous process crashed.

package worker

import (
	"context"

	"queue-worker/pkg/store"
)

// Recover logs and counts the invocations that were in flight when the previous process
// crashed. Without a dead set it drops those that are poison. It is called before Run.
func (w *Worker) Recover(ctx context.Context, s store.Store) error {
	r := s.Recovered()
	if r.InFlight > 0 {
		w.Logger.Warn("previous process crashed; repeating the calls that were in flight",
			"in_hand", r.InFlight, "poisoned", len(r.Poisoned))
	}
	for _, inv := range r.Poisoned {
		w.Logger.Warn("poison", keyID, inv.ID.String(), keyCallID, inv.CallID, keyFunction, inv.Function, "crashes", inv.Crashes)
		w.Metrics.GivenUp(inv, w.DeadSet)
		if w.DeadSet {
			continue
		}
		if err := s.Drop(ctx, inv.ID); err != nil {
			return err
		}
	}
	return nil
}
