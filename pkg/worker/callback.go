// File callback.go makes callbacks: the result of an invocation, posted to its caller's
// URL. A callback is an invocation of its own, written in the batch that settles its
// origin, so it is neither lost nor sent for a result that is not final.

package worker

import (
	"net/url"

	"queue-worker/pkg/invocation"
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
	w.Tracer.Callback(inv, a.inv, a.req.Header)
	raw, err := invocation.EncodeCallback(a.inv.Function, w.header(a), a.result.Body)
	if err != nil {
		panic("worker: encode callback: " + err.Error()) // strings and bytes encode always
	}
	return &store.Accept{Inv: inv, Raw: raw}
}
