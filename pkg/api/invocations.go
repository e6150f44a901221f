// File invocations.go returns the state of an invocation, or of all with a call id, at
// once or as soon as it has finished: GET /v1/invocations/{id}.

package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"queue-worker/pkg/finished"
	"queue-worker/pkg/invocation"
)

const (
	// maxWait is how long a request may wait for an end.
	maxWait = 5 * time.Minute
	// maxID bounds an id, in bytes. Call ids are not looked up by beyond it.
	maxID = 256
)

var (
	problemNoInvocation = &problem{
		status: http.StatusNotFound, Text: "no invocation has this id", Reason: notFound,
		Hint: "It finished and was forgotten, or never existed. Set result_ttl to keep finished invocations.",
	}
	problemAnyID = &problem{
		status: http.StatusBadRequest, Text: "neither an invocation id nor a call id", Reason: badRequest,
		Hint: "Use the id in the answer's header X-Invocation-Id, or the call id in X-Call-Id; at most 256 bytes.",
	}
	problemManyWait = &problem{
		status: http.StatusServiceUnavailable, wait: retryAfter, Text: "too many requests are waiting already", Reason: busy,
		Hint: "Ask without wait, or try again.",
	}
)

// invocationList is an answer with invocations.
type invocationList struct {
	Invocations []invocationView `json:"invocations"`
	Next        string           `json:"next"`
}

// invocationRoutes show invocations in every state, and cancel them.
func (a *api) invocationRoutes(mux *surface) {
	a.guarded(mux, "/v1/invocations", methods{http.MethodGet: a.handle(a.listInvocations)})
	a.guarded(mux, "/v1/invocations/{id}", methods{
		http.MethodGet: a.handle(a.showInvocation), http.MethodDelete: a.handle(a.cancelInvocation),
	})
	a.guarded(mux, "/v1/invocations/{id}/result", methods{http.MethodGet: a.handle(a.showResult)})
}

func (a *api) showInvocation(w http.ResponseWriter, r *http.Request) error {
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
	return writeJSON(w, http.StatusOK, invocationList{Invocations: views})
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
func (a *api) awaitOver(w http.ResponseWriter, r *http.Request, key string, wait time.Duration) ([]found, error) {
	if wait == 0 {
		return a.find(key)
	}
	extend(w, wait)
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	var all []found
	id, _ := invocation.ParseID(key) // zero for a call id that is no UUID
	err := a.Watch.Await(ctx, id, key, func() (enough bool, err error) {
		all, err = a.find(key)
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
		return a.find(key) // the state then
	}
	return nil, err
}
