// File function_due.go counts what becomes due in the next hour: GET /v1/functions/{fn}/due.

package admin

import (
	"context"
	"net/http"
	"slices"
	"time"

	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// The steps of the counts: an hour by minutes.
const (
	dueStep  = time.Minute
	dueSteps = 60
)

// ShowDue counts the delayed invocations of a function.
func (a *Admin) ShowDue(w http.ResponseWriter, r *http.Request) error {
	lane, err := a.pathLane(r)
	if err != nil {
		return err
	}
	p, err := readParams(r, "queue")
	if err != nil {
		return err
	}
	queue, err := a.queueOr(p, "")
	if err != nil {
		return err
	}
	due, err := a.due(r.Context(), store.PendingFilter{Queue: queue, Function: lane})
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusOK, due)
}

// queueOr is the queue that a request names, or another where it names none.
func (a *Admin) queueOr(p params, otherwise string) (string, error) {
	if !p.has("queue") {
		return otherwise, nil
	}
	queue := p.text("queue")
	if !slices.Contains(a.Queues, queue) {
		return "", problemNoQueue
	}
	return queue, nil
}

// due counts the delayed invocations of lanes.
func (a *Admin) due(ctx context.Context, f store.PendingFilter) (*wire.Due, error) {
	from := time.Now()
	ends := make([]time.Time, dueSteps)
	for i := range ends {
		ends[i] = from.Add(time.Duration(i+1) * dueStep)
	}
	counts, whole, err := a.Store.Due(ctx, f, ends)
	if err != nil {
		return nil, err
	}
	return &wire.Due{From: from.UTC(), Step: int(dueStep / time.Second), Due: counts, Whole: whole}, nil
}
