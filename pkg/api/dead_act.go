// File dead_act.go replays and drops one dead letter: POST /v1/dead_set/{id}/replay and
// DELETE /v1/dead_set/{id}.

package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// actTimeout is how long a change may take to become durable. It takes
// milliseconds, unless the disk is full or stalled.
const actTimeout = 10 * time.Second

// acted is the answer to a change: what the invocation is now.
type acted struct {
	ID    invocation.ID `json:"id"`
	State string        `json:"state"` // ready or dropped
}

func (a *api) replayDead(w http.ResponseWriter, r *http.Request) error {
	return a.act(w, r, "replay", "ready", a.Store.Replay)
}

func (a *api) dropDead(w http.ResponseWriter, r *http.Request) error {
	return a.act(w, r, "drop", "dropped", a.Store.Drop)
}

// act carries out a change of one letter. A client that goes away does not stop
// it: the change may be on its way to the disk, and who made it has to be logged.
func (a *api) act(w http.ResponseWriter, r *http.Request, name, state string, do func(context.Context, invocation.ID) error) error {
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
		return a.whyNot(id)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, acted{id, state})
}

// tell logs a change: who, what, which. What was surely not changed is not logged.
func (a *api) tell(r *http.Request, act string, id invocation.ID, err error) {
	attrs := []any{keyAct, act, keyID, id.String(), keyBy, callerOf(r.Context()), keyPeer, r.RemoteAddr}
	switch {
	case err == nil:
		a.log.Info("dead set changed", attrs...)
	case errors.Is(err, context.DeadlineExceeded):
		a.log.Warn("change of the dead set not confirmed in time, may still happen", attrs...)
	}
}

// whyNot distinguishes an unknown invocation from one that is not dead.
func (a *api) whyNot(id invocation.ID) error {
	switch _, err := a.Store.Get(id); {
	case err == nil:
		return problemNotDead
	case errors.Is(err, store.ErrNotFound):
		return problemNotFound
	default:
		return err
	}
}
