// File accept.go accepts invocations, as the dead set of the settings wants it.

package worker

import (
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Accept is that of the store. What is pending gets the deadline that is in force now. What is
// dead on arrival is counted, and without a dead set it is logged and discarded: done is called
// with nil then.
func (w *Worker) Accept(x store.Accept, done func(error)) {
	if x.Inv.State != invocation.Dead {
		w.bound(x.Inv, x.Request)
		w.Store.Accept(x, done)
		return
	}
	if !w.DeadSet {
		w.Logger.Warn("discarded", keyID, x.Inv.ID.String(), keyCallID, x.Inv.CallID, "reason", string(x.Inv.Reason), "detail", x.Inv.Detail)
		w.Metrics.GivenUp(x.Inv, false)
		w.discarded(x.Inv)
		done(nil)
		return
	}
	w.Store.Accept(x, func(err error) {
		if err == nil {
			w.Metrics.GivenUp(x.Inv, true)
		}
		done(err)
	})
}
