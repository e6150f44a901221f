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

// ReplayDead makes one dead letter ready. A superseded callback needs force=true.
func (a *Admin) ReplayDead(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, "force")
	if err != nil {
		return err
	}
	force, err := p.flag("force")
	if err != nil {
		return err
	}
	return a.act(w, r, "replay", wire.StateReady, a.replay(force))
}

// replay makes a dead letter ready.
func (a *Admin) replay(force bool) func(context.Context, invocation.ID) error {
	return func(ctx context.Context, id invocation.ID) error {
		taken, err := a.Store.Act(ctx, store.Batch{Verb: store.ActReplay, IDs: []invocation.ID{id}, Force: force})
		if err != nil {
			return err
		}
		return taken[0].Err
	}
}

// DropDead removes one dead letter.
func (a *Admin) DropDead(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r); err != nil {
		return err
	}
	return a.act(w, r, "drop", wire.StateDropped, a.Store.Drop)
}

// act carries out a change of one letter and answers with it.
func (a *Admin) act(w http.ResponseWriter, r *http.Request, name, state string, do func(context.Context, invocation.ID) error) error {
	id, err := a.actOn(r, name, do)
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusOK, wire.Acted{ID: id.String(), State: state})
}

// actOn carries out a change of the letter in the path. A client that goes away does not stop
// it: the change may be on its way to the disk, and who made it has to be logged.
func (a *Admin) actOn(r *http.Request, name string, do func(context.Context, invocation.ID) error) (invocation.ID, error) {
	id, err := pathID(r)
	if err != nil {
		return id, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), a.wait)
	defer cancel()
	err = do(ctx, id)
	a.tell(r, name, id, err)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return id, a.whyNot(ctx, id)
	case errors.Is(err, store.ErrSuperseded):
		return id, problemSuperseded
	}
	return id, err
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

var problemSuperseded = respond.NewProblem(http.StatusConflict, wire.Superseded, "the callback is of an earlier outcome: its invocation was replayed since",
	"The receiver gets the newer outcome. Replay it with force=true to send this one all the same.")

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
