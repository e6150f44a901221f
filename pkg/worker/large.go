// File large.go handles answers that are longer than 64 KiB: the memory for what is committed or sent, and
// what is reported of those that were cut.

package worker

import (
	"context"
	"math"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/spool"
	"queue-worker/pkg/store"
)

// sentUnbounded is the size of a callback's request up to which it is loaded without waiting for memory, in bytes.
// All that may be in flight have about as much as other requests.
const sentUnbounded = 3 << 19

// large is what the attempt of a large callback has of the spool. The zero value has nothing.
type large struct {
	release func()      // gives back the memory that it was loaded into; nil for none
	body    *spool.Body // from where it is sent; nil when that is its memory
}

func (l *large) close() {
	if l.release != nil {
		l.release()
		l.release = nil
	}
	l.body.Close()
}

// close gives back what large bodies have.
func (a *attempt) close() {
	a.result.Close()
	a.large.close()
}

// loadRoom waits for the memory of a large callback that is about to be loaded. An error is that of ctx.
func (w *Worker) loadRoom(ctx context.Context, r store.Ready) (l large, err error) {
	if w.Answers == nil || !invocation.IsCallbackLane(r.Lane.Name) {
		return l, nil
	}
	inv, err := w.Store.Get(ctx, r.ID)
	if err != nil || inv.Size <= sentUnbounded {
		return l, nil //nolint:nilerr // what is wrong with it shows when it is loaded
	}
	l.release, err = w.Answers.Settle(ctx, 2*int64(inv.Size)) // see settleRoom
	return l, err
}

// moveBody moves the body of a large callback to where others like it are in no way of each other: the receiver
// may be slow. Without room there it is sent from the memory that it was loaded into.
func (w *Worker) moveBody(a *attempt) {
	if a.large.release == nil {
		return
	}
	body, err := w.Answers.Read(nil, a.req.Body(), math.MaxInt64)
	if err != nil || body.Cut() {
		body.Close()
		return
	}
	a.req.Keep(body)
	a.raw, a.large.body = nil, body
	a.large.release()
	a.large.release = nil
}

// settleRoom waits for the memory in which a large answer is committed: what is stored of it, and as much for what was
// stored before and is not collected yet. When ctx ends first the answer is committed all the same, because the process is about to end.
func (w *Worker) settleRoom(ctx context.Context, a *attempt) (release func()) {
	n := int64(0)
	if large := a.result.Large; large != nil && w.Answers != nil && a.Outcome != invocation.OutcomeRetry {
		if a.req.CallbackURL != "" {
			n += 2 * invocation.EncodedLen(large.Size())
		}
		if w.resultTTL(a) > 0 {
			n += 2 * large.Size()
		}
	}
	if n == 0 {
		return func() {}
	}
	release, _ = w.Answers.Settle(ctx, n)
	return release
}

// cutToBeginning leaves the beginning of a large answer that cannot be read from its file.
func (w *Worker) cutToBeginning(a *attempt, err error) {
	w.Logger.Error("large answer not readable, cut to its beginning", attrs(a, "error", err)...)
	a.result.Close()
	a.result.Truncated, a.result.NoRoom = true, true
}

// Why an answer was cut, as the metric has it.
const (
	cutByLimit  = "limit"
	cutByMemory = "memory"
)

// reportCut counts an answer that was cut although its body is wanted, and logs it once for a function.
func (w *Worker) reportCut(a *attempt) {
	if !a.result.Truncated || !w.wantsBody(a) || a.Outcome == invocation.OutcomeRetry || a.Outcome == invocation.OutcomeCancelled {
		return
	}
	reason, hint := cutByLimit, "Raise max_response_bytes, or let the function answer with a link."
	if a.result.NoRoom {
		reason, hint = cutByMemory, "Raise max_response_memory, or set data_dir and keep room on its volume."
	}
	w.Metrics.truncated.WithLabelValues(reason).Inc()
	if w.warned.first("truncated " + reason + " " + a.inv.Lane.Name) {
		w.Logger.Warn("answer truncated", attrs(a, "bytes", a.result.Size, "reason", reason, "hint", hint)...)
	}
}

// wantsBody reports whether the body of a function's answer is kept for more than the dead set.
func (w *Worker) wantsBody(a *attempt) bool {
	return a.inv.Kind != invocation.KindCallback && a.req != nil && (a.req.CallbackURL != "" || w.resultTTL(a) > 0)
}
