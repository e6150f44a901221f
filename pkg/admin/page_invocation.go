// File page_invocation.go serves the pages of invocations: of one, of those of a call id, and of
// those that are pending.

package admin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"queue-worker/pkg/console"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// FindInvocation leads to the page of an id.
func (a *Admin) FindInvocation(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, "id")
	if err != nil {
		return err
	}
	key, err := anyID(strings.TrimSpace(p.text("id")))
	if err != nil {
		return err
	}
	seeOther(w, console.InvocationPath(key))
	return nil
}

// seeOther leads to another page.
func seeOther(w http.ResponseWriter, path string) {
	w.Header().Set("Location", path)
	w.WriteHeader(http.StatusSeeOther)
}

// ShowLetterPage leads from the address that a dead letter had to that of the invocation.
func (a *Admin) ShowLetterPage(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	seeOther(w, console.InvocationPath(id.String()))
	return nil
}

// ShowInvocationPage is the page of an invocation, or of the invocations of a call id.
func (a *Admin) ShowInvocationPage(w http.ResponseWriter, r *http.Request) error {
	key, err := anyID(r.PathValue("id"))
	if err != nil {
		return err
	}
	p, viewer, err := a.readPage(r, console.ParamBody)
	if err != nil {
		return err
	}
	body := p.text(console.ParamBody) == "1"
	if err := maySeeBody(r.Context(), body); err != nil {
		return err
	}
	all, err := a.find(r.Context(), key)
	switch {
	case err != nil:
		return err
	case len(all) == 0:
		return problemNoInvocation
	case len(all) > 1:
		return a.writePage(w, r, listed(viewer, key, nil, all).Page)
	}
	page, err := a.invocationPage(r.Context(), &all[0], body)
	if err != nil {
		return err
	}
	page.Viewer = viewer
	if page.WithBody {
		a.tellBody(r, all[0].inv.ID)
	}
	return a.writePage(w, r, page.Page)
}

// listed is a list of what was found.
func listed(viewer console.Viewer, call string, q url.Values, all []found) console.Invocations {
	page := console.Invocations{Viewer: viewer, At: time.Now(), CallID: call, Query: q}
	for i := range all {
		page.Invocations.Invocations = append(page.Invocations.Invocations, viewOf(&all[i]))
	}
	return page
}

// ListInvocationsPage lists pending invocations.
func (a *Admin) ListInvocationsPage(w http.ResponseWriter, r *http.Request) error {
	p, viewer, err := a.readPage(r, "function", "queue", "state", "cursor")
	if err != nil {
		return err
	}
	p = p.filled()
	f, err := a.pendingFilter(p)
	if err != nil {
		return err
	}
	list, err := a.listPending(r.Context(), f, p.text("state"), p.text("cursor"), console.PageRows)
	if err != nil {
		return err
	}
	page := listed(viewer, "", url.Values(p), nil)
	page.Invocations = *list
	return a.writePage(w, r, page.Page)
}

// invocationPage reads what the page of an invocation shows.
func (a *Admin) invocationPage(ctx context.Context, f *found, body bool) (*console.Invocation, error) {
	views, err := a.detailedViews(ctx, []found{*f})
	if err != nil {
		return nil, err
	}
	page := &console.Invocation{At: time.Now(), Invocation: views[0]}
	if f.state == wire.StateDead {
		page.Letter = detailsOf(f.inv, message{})
		if ReadsOnly(ctx) {
			page.Letter.Answer = nil
		}
	}
	if f.isPending() || f.state == wire.StateDead {
		if err := a.addRequest(ctx, page, f.inv, body); err != nil {
			return nil, err
		}
	}
	page.Callbacks, err = a.callbacksOf(ctx, f.inv)
	return page, err
}

// addRequest adds the request, unless it has left the store meanwhile or cannot be read.
func (a *Admin) addRequest(ctx context.Context, page *console.Invocation, inv *invocation.Invocation, body bool) error {
	most := int64(0)
	if body {
		most = console.MostBody
	}
	d, err := a.request(ctx, inv, most)
	switch {
	case err == nil:
		page.Request, page.WithBody = d, body
	case errors.Is(err, store.ErrNotFound):
	case errors.Is(err, store.ErrFailed), errors.Is(err, store.ErrClosed), errors.Is(err, problemBusy), ctx.Err() != nil:
		return err
	case page.Letter != nil:
		page.Letter.Unreadable = true // the store has logged why
	}
	return nil
}

// callbacksOf are the callbacks that carry the result of an invocation.
func (a *Admin) callbacksOf(ctx context.Context, inv *invocation.Invocation) (all []wire.Invocation, err error) {
	if inv.CallID == "" || inv.Kind == invocation.KindCallback {
		return nil, nil
	}
	same, err := a.findCall(ctx, inv.CallID)
	if err != nil {
		return nil, err
	}
	for i := range same {
		if same[i].inv.Origin == inv.ID && same[i].inv.Kind == invocation.KindCallback {
			all = append(all, viewOf(&same[i]))
		}
	}
	return all, nil
}
