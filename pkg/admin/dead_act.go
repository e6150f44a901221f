// File dead_act.go replays and drops one dead letter: POST /v1/dead_set/{id}/replay and
// DELETE /v1/dead_set/{id}.

package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// actTimeout is how long a change may take to become durable. It takes
// milliseconds, unless the disk is full or stalled.
const actTimeout = 10 * time.Second

// ReplayDead makes one dead letter ready.
func (a *Admin) ReplayDead(w http.ResponseWriter, r *http.Request) error {
	return a.act(w, r, "replay", wire.StateReady, a.Store.Replay)
}

// DropDead removes one dead letter.
func (a *Admin) DropDead(w http.ResponseWriter, r *http.Request) error {
	return a.act(w, r, "drop", wire.StateDropped, a.Store.Drop)
}

// act carries out a change of one letter. A client that goes away does not stop
// it: the change may be on its way to the disk, and who made it has to be logged.
func (a *Admin) act(w http.ResponseWriter, r *http.Request, name, state string, do func(context.Context, invocation.ID) error) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	if _, err := readParams(r); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), a.wait)
	defer cancel()
	err = do(ctx, id)
	a.tell(r, name, id, err)
	if errors.Is(err, store.ErrNotFound) {
		return a.whyNot(ctx, id)
	}
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusOK, wire.Acted{ID: id.String(), State: state})
}

// tell logs a change: who, what, which. What was surely not changed is not logged.
func (a *Admin) tell(r *http.Request, act string, id invocation.ID, err error) {
	attrs := []any{keyAct, act, keyID, id.String(), keyBy, callerOf(r.Context()), keyPeer, r.RemoteAddr}
	switch {
	case err == nil:
		a.log.Info("dead set changed", attrs...)
	case errors.Is(err, context.DeadlineExceeded):
		a.log.Warn("change of the dead set not confirmed in time, may still happen", attrs...)
	}
}

var problemNotDead = respond.NewProblem(http.StatusConflict, wire.NotDead, "the invocation is not in the dead set",
	"GET it for its state; it is pending or in flight, perhaps because it was replayed.")

// whyNot distinguishes an unknown invocation from one that is not dead.
func (a *Admin) whyNot(ctx context.Context, id invocation.ID) error {
	switch _, err := a.Store.Get(ctx, id); {
	case err == nil:
		return problemNotDead
	case errors.Is(err, store.ErrNotFound):
		return store.ErrNotFound
	default:
		return err
	}
}
