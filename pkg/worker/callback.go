// File callback.go makes callbacks: the result of an invocation, posted to its caller's
// URL. A callback is an invocation of its own, written in the batch that settles its
// origin, so it is neither lost nor sent for a result that is not final.

package worker

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/store"
)

// URLChecker reads a URL that a caller chose; its error means refused.
type URLChecker func(raw string) (*url.URL, error)

// invalidURL stands for the host in the lane of a callback whose URL has none.
const invalidURL = "invalid"

// callbackOf makes the callback that carries the result of a, or nil when none
// was asked for. A callback has no callback of its own.
func (w *Worker) callbackOf(a *attempt) *store.Accept {
	if a.inv.Kind == invocation.KindCallback || a.req == nil || a.req.CallbackURL == "" {
		return nil
	}
	now := w.Store.Now()
	inv := &invocation.Invocation{
		ID: invocation.NewID(now), CallID: a.inv.CallID, Kind: invocation.KindCallback,
		Function: a.inv.Function, Origin: a.inv.ID, URL: a.req.CallbackURL,
		Lane:     invocation.Lane{Queue: a.inv.Lane.Queue, Name: invocation.CallbackLanePrefix + invalidURL},
		Accepted: now, Since: now,
	}
	if u, err := w.CheckURL(inv.URL); err != nil {
		inv.State, inv.DiedAt = invocation.Dead, now
		inv.Reason, inv.Detail = invocation.CallbackRefused, err.Error()
	} else {
		inv.URL, inv.Lane.Name = u.String(), invocation.CallbackLane(u)
	}
	a.inv.Sequence = nextSequence(a.inv)
	inv.Sequence = a.inv.Sequence
	w.Tracer.Callback(inv, a.inv, a.req.Header)
	return &store.Accept{Inv: inv, Raw: w.encodeCallback(a)}
}

// encodeCallback makes the request of a callback. A large body that cannot be read from its file is cut
// to its beginning, and marked.
func (w *Worker) encodeCallback(a *attempt) []byte {
	if large := a.result.Large; large != nil {
		raw, err := invocation.EncodeCallbackFrom(a.inv.Function, w.header(a), large.Size(), large)
		if err == nil {
			return raw
		}
		w.cutToBeginning(a, err)
	}
	raw, err := invocation.EncodeCallback(a.inv.Function, w.header(a), a.result.Body)
	if err != nil {
		panic("worker: encode callback: " + err.Error()) // strings and bytes encode always
	}
	return raw
}

// nextSequence is the number of the next callback of an invocation. What was replayed and has none
// was replayed by an earlier version, or given up without an answer: its next one is no longer the
// first.
func nextSequence(origin *invocation.Invocation) int {
	return max(origin.Sequence, min(origin.Replays, 1)) + 1
}

// number gives the header of a callback its number and the time of the outcome that it carries.
// One that an earlier version has stored counts as the first. What the producer posts has neither.
func number(header http.Header, callback *invocation.Invocation) {
	if callback.Origin.IsZero() {
		return
	}
	header[invoke.HeaderSequence] = []string{strconv.Itoa(max(callback.Sequence, 1))}
	header[invoke.HeaderCompleted] = []string{callback.Accepted.UTC().Format(time.RFC3339Nano)}
}

// statusCancelled is the status of a callback for a replayed invocation that was cancelled: the
// client closed the request.
const statusCancelled = 499

// LastCallback makes the callback of a replayed invocation that is cancelled or purged while it is
// pending, nil when none was asked for: its receiver has had an outcome that does not hold any
// more. It does not block.
func (w *Worker) LastCallback(inv *invocation.Invocation, raw []byte) (last *store.Accept) {
	a := &attempt{inv: inv}
	w.guarded(a, "callback", func() {
		req, err := decode(raw)
		if err != nil || req.CallbackURL == "" {
			return
		}
		a.req = w.withoutBody(req)
		a.policy, _ = w.inForce(inv, w.recall(inv), req)
		last = w.lastCallbackOf(a)
	})
	if last != nil && !w.DeadSet && last.Inv.State == invocation.Dead {
		return nil // it is refused, and nothing keeps it
	}
	return last
}

// lastCallbackOf is callbackOf for an invocation that was cancelled, whatever its call came to.
func (w *Worker) lastCallbackOf(a *attempt) *store.Accept {
	cancelled := *a
	cancelled.result = invoke.Result{Status: statusCancelled}
	return w.callbackOf(&cancelled)
}
