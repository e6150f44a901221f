// File callid.go finds the dead letter that a call id stands for.

package command

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"queue-worker/pkg/client"
	"queue-worker/pkg/wire"
)

// mostIDs bounds the dead letters of one call id that an error lists.
const mostIDs = 100

// byEither does something with the dead letter of an id. Where there is none, the id may be a call id: then it is
// done with its dead letter, unless several have it.
func byEither[T any](ctx context.Context, s *session, id string, do func(ctx context.Context, id string) (T, error)) (T, error) {
	done, err := do(ctx, id)
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Reason == client.ReasonForeign || e.Status != http.StatusNotFound && e.Status != http.StatusBadRequest {
		return done, err
	}
	ids, more, lookupErr := s.idsOf(ctx, id)
	switch {
	case lookupErr != nil || len(ids) == 0:
		return done, err
	case len(ids) == 1:
		return do(ctx, ids[0])
	}
	text := fmt.Sprintf("%d dead letters have the call id %s", len(ids), id)
	if more {
		text = fmt.Sprintf("more than %d dead letters have the call id %s, such as", len(ids), id)
	}
	return done, &client.Error{Status: http.StatusConflict, Problem: wire.Problem{
		Reason: wire.Ambiguous,
		Text:   text, IDs: ids, Hint: "Give the id of one of them, or --call-id for all.",
	}}
}

// idsOf are the ids of the dead letters that have a call id.
func (s *session) idsOf(ctx context.Context, callID string) (ids []string, more bool, err error) {
	for page, err := range s.Letters(ctx, client.Filter{CallID: wire.Text(callID)}, mostIDs) {
		if err != nil {
			return nil, false, err
		}
		more = page.Next != ""
		for _, l := range page.Letters {
			ids = append(ids, l.ID)
		}
	}
	return ids, more, nil
}
