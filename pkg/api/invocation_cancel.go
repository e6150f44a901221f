// File invocation_cancel.go cancels invocations: DELETE /v1/invocations/{id} and DELETE
// /async-function/{call-id}.
//
//	pending               it leaves the store
//	in flight             its call is aborted, and the worker settles it as cancelled
//	call has just ended   the first of two: the worker settles it, or it leaves the store
//
// 202 is answered when that is durable. In either case the store accepts only one of the two.

package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"queue-worker/pkg/finished"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

var (
	problemIsDead = &problem{
		status: http.StatusConflict, Text: "the invocation is dead", Reason: isDead,
		Hint: "It is not called any more. Drop it with DELETE /v1/dead_set/{id}.",
	}
	problemIsOver = &problem{
		status: http.StatusConflict, Text: "the invocation has finished", Reason: isOver,
		Hint: "It finished before it could be cancelled. GET it for its outcome.",
	}
)

// problemNotForgotten: only without a durable store.
var problemNotForgotten = &problem{
	status: http.StatusServiceUnavailable, wait: retryAfter, Text: "cancelled, but not acknowledged to NATS Streaming", Reason: stalled,
	Hint: "It is called again only if this worker ends before the connection is back. Cancel it again to be sure, or set data_dir.",
}

// ambiguous is the problem of a call id that came more than once.
func ambiguous(all []found) *problem {
	p := &problem{
		status: http.StatusConflict, Text: "this call id stands for several invocations", Reason: isAmbiguous,
		Hint: "Use the invocation's own id, one of ids.",
	}
	for _, f := range all {
		p.IDs = append(p.IDs, f.inv.ID)
	}
	return p
}

func (a *api) cancelInvocation(w http.ResponseWriter, r *http.Request) error {
	return a.cancelBy(w, r, r.PathValue("id"))
}

// cancelCall is where the commercial gateway has it: the call id stands where a
// function's name stands to call it.
func (a *api) cancelCall(w http.ResponseWriter, r *http.Request) error {
	return a.cancelBy(w, r, r.PathValue("fn"))
}

func (a *api) cancelBy(w http.ResponseWriter, r *http.Request, key string) error {
	key, err := anyID(key)
	if err != nil {
		return err
	}
	if _, err := readParams(r); err != nil {
		return err
	}
	id, err := a.findArriving(r.Context(), key)
	if err != nil {
		return err
	}
	// A client that goes away does not stop it: it may be on its way to the disk.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), a.wait)
	defer cancel()
	err = a.cancel(ctx, id)
	a.tellCancel(r, id, err)
	if err != nil {
		return err
	}
	if a.Forget != nil && a.Forget(ctx) != nil {
		return problemNotForgotten
	}
	return writeJSON(w, http.StatusAccepted, acted{id, stateCancelled})
}

// tellCancel logs who cancelled what. What was surely not cancelled is not logged.
func (a *api) tellCancel(r *http.Request, id invocation.ID, err error) {
	attrs := []any{keyID, id.String(), keyBy, callerOf(r.Context()), keyPeer, r.RemoteAddr}
	switch {
	case err == nil:
		a.log.Info("invocation cancelled", attrs...)
	case errors.Is(err, context.DeadlineExceeded):
		a.log.Warn("cancellation not confirmed in time, may still happen", attrs...)
	}
}

// arrival is how long an invocation may take through NATS Streaming to here. It takes
// milliseconds.
const arrival = 2 * time.Second

// findArriving is findOne, and waits a little where what was just sent may not have
// come yet: without a durable store.
func (a *api) findArriving(ctx context.Context, key string) (id invocation.ID, err error) {
	look := func() (found bool, _ error) {
		f, problem := a.findOne(key)
		if err = problem; err == nil {
			id = f.inv.ID
		}
		return !errors.Is(err, problemNoInvocation), nil
	}
	if found, _ := look(); found || a.Durable {
		return id, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.arrival)
	defer cancel()
	own, _ := invocation.ParseID(key)
	_ = a.Watch.Await(ctx, own, key, look) // what ends it without a find leaves the problem
	return id, err
}

// findOne finds the one invocation that an id means. A call id that came twice
// means none of them.
func (a *api) findOne(key string) (*found, error) {
	all, err := a.find(key)
	if err != nil {
		return nil, err
	}
	all = calls(all)
	switch len(all) {
	case 0:
		return nil, problemNoInvocation
	case 1:
		return &all[0], nil
	}
	return nil, ambiguous(all)
}

// cancel returns nil once it is durable that an invocation was cancelled, be it by
// somebody else.
func (a *api) cancel(ctx context.Context, id invocation.ID) error {
	err := a.Watch.Follow(ctx, id, func() (bool, error) {
		if a.Hands.Cancel(id) {
			return a.isCancelled(id)
		}
		switch _, err := a.Store.Cancel(ctx, id); {
		case err == nil:
			a.Hands.Cancel(id) // it was taken meanwhile, and finds itself gone
			return true, nil
		case errors.Is(err, store.ErrDead):
			return false, problemIsDead
		case !errors.Is(err, store.ErrNotFound):
			return false, err
		}
		return a.isCancelled(id)
	})
	if errors.Is(err, finished.ErrCrowded) {
		return problemManyWait
	}
	return err
}

// isCancelled reports whether an invocation has been cancelled; it has not yet as
// long as it is in the store. What ended otherwise is a problem.
func (a *api) isCancelled(id invocation.ID) (bool, error) {
	f, err := a.findID(id)
	switch {
	case err != nil:
		return false, err
	case f == nil:
		return false, problemNoInvocation
	case f.isPending():
		return false, nil
	case f.state == stateDead:
		return false, problemIsDead
	case f.state != stateCancelled:
		return false, problemIsOver
	}
	return true, nil
}
