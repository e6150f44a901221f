// File invocations.go returns the state of an invocation, or of all with a call id, at
// once or as soon as it has finished: GET /v1/invocations/{id}.

package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"queue-worker/pkg/finished"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

const (
	// maxWait is how long a request may wait for an end.
	maxWait = 5 * time.Minute
	// maxID bounds an id, in bytes. Call ids are not looked up by beyond it.
	maxID = 256
)

var (
	problemNoInvocation = respond.NewProblem(http.StatusNotFound, wire.NotFound, "no invocation has this id",
		"It finished and was forgotten, or never existed. Set result_ttl to keep finished invocations.")
	problemAnyID = respond.Refuse("neither an invocation id nor a call id",
		"Use the id in the answer's header X-Invocation-Id, or the call id in X-Call-Id; at most 256 bytes.")
	problemManyWait = respond.Later(wire.Busy, "too many requests are waiting already",
		"Ask without wait, or try again.")
)

// ShowInvocation shows all invocations of an id.
func (a *Admin) ShowInvocation(w http.ResponseWriter, r *http.Request) error {
	key, err := anyID(r.PathValue("id"))
	if err != nil {
		return err
	}
	p, err := readParams(r, "wait")
	if err != nil {
		return err
	}
	wait, err := p.span("wait", maxWait)
	if err != nil {
		return err
	}
	all, err := a.awaitOver(w, r, key, wait)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return problemNoInvocation
	}
	views, err := a.detailedViews(r.Context(), all)
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusOK, wire.InvocationList{Invocations: views})
}

// anyID checks the id of an invocation, or a call id, in the path.
func anyID(key string) (string, error) {
	if key == "" || len(key) > maxID {
		return "", problemAnyID
	}
	return key, nil
}

// awaitOver finds what has an id, when it has finished or the time has passed, whichever
// comes first. What is not known yet may still be on its way, and is waited for too.
func (a *Admin) awaitOver(w http.ResponseWriter, r *http.Request, key string, wait time.Duration) ([]found, error) {
	if wait == 0 {
		return a.find(r.Context(), key)
	}
	respond.Extend(w, wait)
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	var all []found
	id, _ := invocation.ParseID(key) // zero for a call id that is no UUID
	err := a.Watch.Await(ctx, id, key, func() (enough bool, err error) {
		all, err = a.find(r.Context(), key)
		return areOver(all), err
	})
	switch {
	case err == nil:
		return all, nil
	case errors.Is(err, finished.ErrCrowded):
		return nil, problemManyWait
	case r.Context().Err() != nil: // the client has gone
		return nil, r.Context().Err()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, finished.ErrClosed):
		return a.find(r.Context(), key) // the state then
	}
	return nil, err
}
