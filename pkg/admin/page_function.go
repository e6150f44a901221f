// File page_function.go serves the page of a function.

package admin

import (
	"context"
	"net/http"
	"slices"
	"time"

	"queue-worker/pkg/console"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// Of the invocations in flight, a page shows runningRows, and looks up runningLooks at most.
const (
	runningRows  = 20
	runningLooks = 100
)

// ShowFunctionPage is the page of a function in one of its queues.
func (a *Admin) ShowFunctionPage(w http.ResponseWriter, r *http.Request) error {
	lane, err := a.pathLane(r)
	if err != nil {
		return err
	}
	p, viewer, err := a.readPage(r, console.ParamQueue)
	if err != nil {
		return err
	}
	queue, err := a.queueOr(p, "")
	if err != nil {
		return err
	}
	s, err := a.snapshotOf(r.Context(), lane)
	if err != nil {
		return err
	}
	if len(s.keys()) == 0 && !a.mayExist(r.Context(), lane) {
		return problemNoFunction
	}
	page, err := a.functionPage(r.Context(), s, invocation.Lane{Queue: queue, Name: lane})
	if err != nil {
		return err
	}
	page.Viewer = viewer
	return a.writePage(w, r, page.Page)
}

// functionPage reads what the page shows. Without a queue it is the first that has anything.
func (a *Admin) functionPage(ctx context.Context, s *snapshot, lane invocation.Lane) (*console.Function, error) {
	s.history = true
	views := s.of(ctx, lane.Name).Functions
	page := &console.Function{Status: a.State()}
	for i := range views {
		page.Queues = append(page.Queues, views[i].Queue)
	}
	at := max(slices.Index(page.Queues, lane.Queue), 0)
	if lane.Queue == "" {
		lane.Queue = views[at].Queue
	}
	if page.Function = views[at]; page.Function.Queue != lane.Queue {
		page.Function = s.view(ctx, lane) // a queue in which it has nothing
	}
	if len(page.Queues) == 1 && page.Queues[0] == lane.Queue {
		page.Queues = nil
	}
	page.Status.At = s.now.UTC()
	page.Policy = *policyViewOf(a.Worker.PolicyFor(lane.Queue, lane.Name))
	due, err := a.due(ctx, store.PendingFilter{Queue: lane.Queue, Function: lane.Name})
	if err != nil {
		return nil, err
	}
	page.Due = *due
	page.Running, err = a.longestRunning(ctx, lane)
	return page, err
}

// longestRunning are invocations of a lane that are in flight, those of the oldest calls first.
func (a *Admin) longestRunning(ctx context.Context, lane invocation.Lane) (all []wire.Invocation, err error) {
	type running struct {
		id    invocation.ID
		since time.Time
	}
	var ids []running
	for _, id := range a.Calls.InFlight() {
		if since := a.Calls.RunningSince(id); !since.IsZero() {
			ids = append(ids, running{id, since})
		}
	}
	slices.SortFunc(ids, func(x, y running) int { return x.since.Compare(y.since) })
	for _, r := range ids[:min(len(ids), runningLooks)] {
		f, err := a.findID(ctx, r.id)
		if err != nil {
			return nil, err
		}
		if f != nil && f.state == wire.StateRunning && f.inv.Lane == lane && len(all) < runningRows {
			all = append(all, viewOf(f))
		}
	}
	return all, nil
}
