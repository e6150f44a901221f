// File invocation_list.go lists pending and running invocations page by page: GET
// /v1/invocations.

package admin

import (
	"bytes"
	"context"
	"net/http"
	"slices"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

var problemState = respond.Refuse("state is none of those that are pending", "ready, running or delayed; leave it out for all")

// ListInvocations lists pending invocations.
func (a *Admin) ListInvocations(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, "function", "queue", "state", "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := p.limit(defaultLimit)
	if err != nil {
		return err
	}
	f, err := a.pendingFilter(p)
	if err != nil {
		return err
	}
	page, err := a.listPending(r.Context(), f, p.text("state"), p.text("cursor"), limit)
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusOK, page)
}

// listPending reads a page of pending invocations in a state, "" for all.
func (a *Admin) listPending(ctx context.Context, f store.PendingFilter, state, cursor string, limit int) (*wire.InvocationList, error) {
	switch state {
	case "", wire.StateDelayed, wire.StateReady:
		return a.pendingPage(ctx, f, state, cursor, limit)
	case wire.StateRunning:
		return a.runningPage(ctx, f, cursor, limit)
	}
	return nil, problemState
}

// pendingFilter reads which lanes are meant.
func (a *Admin) pendingFilter(p params) (store.PendingFilter, error) {
	f := store.PendingFilter{Queue: p.text("queue"), Function: a.Names.Canonical(p.text("function"))}
	for _, name := range []string{"queue", "function"} {
		if p.has(name) && p.text(name) == "" {
			return f, respond.Refuse(name+" is empty", "leave it out when you do not mean it")
		}
	}
	return f, nil
}

// pendingPage reads pending invocations. Those in flight are among the ready ones in
// the store, and are recognised here.
func (a *Admin) pendingPage(ctx context.Context, f store.PendingFilter, state, cursor string, limit int) (*wire.InvocationList, error) {
	f.State = state
	list, next, err := a.Store.Pending(ctx, f, cursor, limit)
	if err != nil {
		return nil, err
	}
	page := &wire.InvocationList{Invocations: []wire.Invocation{}, Next: next}
	for _, inv := range list {
		it := a.inStore(inv)
		if state == "" || state == it.state {
			page.Invocations = append(page.Invocations, viewOf(it))
		}
	}
	return page, nil
}

// runningPage reads what is being called, by id. There are no more than calls at a
// time.
func (a *Admin) runningPage(ctx context.Context, f store.PendingFilter, cursor string, limit int) (*wire.InvocationList, error) {
	var after invocation.ID
	if cursor != "" {
		var err error
		if after, err = invocation.ParseID(cursor); err != nil {
			return nil, store.ErrBadCursor
		}
	}
	ids := a.Calls.InFlight()
	slices.SortFunc(ids, func(x, y invocation.ID) int { return bytes.Compare(x[:], y[:]) })
	page := &wire.InvocationList{Invocations: []wire.Invocation{}}
	for _, id := range ids {
		if bytes.Compare(id[:], after[:]) <= 0 {
			continue
		}
		it, err := a.findID(ctx, id)
		if err != nil {
			return nil, err
		}
		if it == nil || it.state != wire.StateRunning || !passes(f, it.inv.Lane) {
			continue
		}
		if len(page.Invocations) == limit {
			page.Next = page.Invocations[limit-1].ID
			break
		}
		page.Invocations = append(page.Invocations, viewOf(it))
	}
	return page, nil
}

func passes(f store.PendingFilter, lane invocation.Lane) bool {
	return (f.Queue == "" || f.Queue == lane.Queue) && (f.Function == "" || f.Function == lane.Name)
}
