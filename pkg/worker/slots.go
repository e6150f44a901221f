// File slots.go has the calls in flight by slot, so that they can be listed and cancelled.

package worker

import (
	"context"
	"sync"
	"time"

	"queue-worker/pkg/invocation"
)

// callSlot is the invocation that one slot is calling.
//
//	begin --> [ may be cancelled ] --> decided --> [ being settled ] --> end
type callSlot struct {
	mu        sync.Mutex
	id        invocation.ID // zero for nothing
	since     time.Time     // when its call began
	settling  bool          // it is decided what becomes of it
	cancelled bool

	// ctx is that of the slot's calls. It lives on from one call to the next until
	// one is cancelled, so that a call need not make its own.
	ctx    context.Context
	cancel context.CancelFunc
}

// begin puts an invocation in flight, and returns the context of its call.
func (h *callSlot) begin(calls context.Context, id invocation.ID) context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx == nil || h.cancelled {
		h.ctx, h.cancel = context.WithCancel(calls)
	}
	h.id, h.since, h.settling, h.cancelled = id, time.Now(), false, false
	return h.ctx
}

// decided ends the time in which it may be cancelled, and reports whether it was.
func (h *callSlot) decided() (cancelled bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settling = true
	return h.cancelled
}

// end lets go of it.
func (h *callSlot) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.id = invocation.ID{}
}

// abandon ends the call of an invocation, when that is in this slot and it is
// not decided yet what becomes of it.
func (h *callSlot) abandon(id invocation.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.id != id || h.settling {
		return false
	}
	h.cancelled = true
	h.cancel()
	return true
}

// calling is what is in this slot and since when, zero for nothing.
func (h *callSlot) calling() (invocation.ID, time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.id, h.since
}

// Cancel ends the call of an invocation, which is then settled as cancelled, with
// no retry and no callback; the store reports when that is durable. A crash before
// that calls it again. It is false when the invocation is not in flight, or when its
// call has ended and is being settled; a caller that finds it pending in the store
// may cancel it there. It does not wait, and may be called again.
func (w *Worker) Cancel(id invocation.ID) bool {
	for n := range w.slots {
		if w.slots[n].abandon(id) {
			return true
		}
	}
	return false
}

// Running reports whether an invocation is in flight: being called or settled.
func (w *Worker) Running(id invocation.ID) bool { return !w.RunningSince(id).IsZero() }

// RunningSince is since when an invocation is in flight; zero when it is not.
func (w *Worker) RunningSince(id invocation.ID) time.Time {
	for n := range w.slots {
		if in, since := w.slots[n].calling(); in == id {
			return since
		}
	}
	return time.Time{}
}

// InFlight lists the invocations that are in flight, in no order.
func (w *Worker) InFlight() []invocation.ID {
	var ids []invocation.ID
	for n := range w.slots {
		if id, _ := w.slots[n].calling(); !id.IsZero() {
			ids = append(ids, id)
		}
	}
	return ids
}
