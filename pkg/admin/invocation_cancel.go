// File invocation_cancel.go cancels invocations: DELETE /v1/invocations/{id} and DELETE
// /async-function/{call-id}.
//
//	pending               it leaves the store
//	in flight             its call is aborted, and the worker settles it as cancelled
//	call has just ended   the first of two: the worker settles it, or it leaves the store
//
// 202 is answered when that is durable. In either case the store accepts only one of the two.

package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"queue-worker/pkg/finished"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

var (
	problemIsDead = respond.NewProblem(http.StatusConflict, wire.IsDead, "the invocation is dead",
		"It is not called any more. Drop it with DELETE /v1/dead_set/{id}.")
	problemIsOver = respond.NewProblem(http.StatusConflict, wire.IsOver, "the invocation has finished",
		"It finished before it could be cancelled. GET it for its outcome.")
)

// problemNotForgotten: only without a durable store.
var problemNotForgotten = respond.Later(wire.Stalled, "cancelled, but not acknowledged to NATS Streaming",
	"It is called again only if this worker ends before the connection is back. Cancel it again to be sure, or set data_dir.")

// ambiguous is the problem of a call id that came more than once.
func ambiguous(all []found) *respond.Problem {
	p := respond.NewProblem(http.StatusConflict, wire.Ambiguous, "this call id stands for several invocations",
		"Use the invocation's own id, one of ids.")
	for _, f := range all {
		p.IDs = append(p.IDs, f.inv.ID.String())
	}
	return p
}

// CancelInvocation cancels the invocation of an id.
func (a *Admin) CancelInvocation(w http.ResponseWriter, r *http.Request) error {
	return a.cancelBy(w, r, r.PathValue("id"))
}

// CancelCall is the same where the commercial gateway has it: the call id stands where a
// function's name stands to call it.
func (a *Admin) CancelCall(w http.ResponseWriter, r *http.Request) error {
	return a.cancelBy(w, r, r.PathValue("fn"))
}

func (a *Admin) cancelBy(w http.ResponseWriter, r *http.Request, key string) error {
	if _, err := readParams(r); err != nil {
		return err
	}
	id, err := a.cancelOf(r, key)
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusAccepted, wire.Acted{ID: id.String(), State: wire.StateCancelled})
}

// cancelOf cancels the invocation of an id.
func (a *Admin) cancelOf(r *http.Request, key string) (id invocation.ID, err error) {
	if key, err = anyID(key); err != nil {
		return id, err
	}
	if id, err = a.findArriving(r.Context(), key); err != nil {
		return id, err
	}
	// A client that goes away does not stop it: it may be on its way to the disk.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), a.wait)
	defer cancel()
	err = a.cancel(ctx, id)
	a.tellCancel(r, id, err)
	if err == nil && a.Forget != nil && a.Forget(ctx) != nil {
		err = problemNotForgotten
	}
	return id, err
}

// tellCancel logs who cancelled what. What was surely not cancelled is not logged.
func (a *Admin) tellCancel(r *http.Request, id invocation.ID, err error) {
	attrs := []any{keyID, id.String(), keyBy, callerOf(r.Context()), keyPeer, r.RemoteAddr}
	switch {
	case err == nil:
		a.log.Info("invocation cancelled", attrs...)
	case errors.Is(err, context.DeadlineExceeded):
		a.log.Warn("cancellation not confirmed in time, may still happen", attrs...)
	}
}

// Arrival is how long an invocation may take through NATS Streaming into a store that is
// not durable. It takes milliseconds.
const Arrival = 2 * time.Second

// findArriving is findOne, and waits a little where what was just sent may not have
// come yet: without a durable store.
func (a *Admin) findArriving(ctx context.Context, key string) (id invocation.ID, err error) {
	look := func() (found bool, _ error) {
		f, problem := a.findOne(ctx, key)
		if err = problem; err == nil {
			id = f.inv.ID
		}
		return !errors.Is(err, problemNoInvocation), nil
	}
	if found, _ := look(); found || a.Arrival == 0 {
		return id, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.Arrival)
	defer cancel()
	own, _ := invocation.ParseID(key)
	_ = a.Watch.Await(ctx, own, key, look) // what ends it without a find leaves the problem
	return id, err
}

// findOne finds the one invocation that an id means. A call id that came twice
// means none of them.
func (a *Admin) findOne(ctx context.Context, key string) (*found, error) {
	all, err := a.find(ctx, key)
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
func (a *Admin) cancel(ctx context.Context, id invocation.ID) error {
	err := a.Watch.Follow(ctx, id, func() (bool, error) {
		if a.Calls.Cancel(id) {
			return a.isCancelled(ctx, id)
		}
		switch _, err := a.Store.Cancel(ctx, id); {
		case err == nil:
			a.Calls.Cancel(id) // it was taken meanwhile, and finds itself gone
			return true, nil
		case errors.Is(err, store.ErrDead):
			return false, problemIsDead
		case !errors.Is(err, store.ErrNotFound):
			return false, err
		}
		return a.isCancelled(ctx, id)
	})
	if errors.Is(err, finished.ErrCrowded) {
		return problemManyWait
	}
	return err
}

// isCancelled reports whether an invocation has been cancelled; it has not yet as
// long as it is in the store. What ended otherwise is a problem.
func (a *Admin) isCancelled(ctx context.Context, id invocation.ID) (bool, error) {
	f, err := a.findID(ctx, id)
	switch {
	case err != nil:
		return false, err
	case f == nil:
		return false, problemNoInvocation
	case f.isPending():
		return false, nil
	case f.state == wire.StateDead:
		return false, problemIsDead
	case f.state != wire.StateCancelled:
		return false, problemIsOver
	}
	return true, nil
}
