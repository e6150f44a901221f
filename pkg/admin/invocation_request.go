// File invocation_request.go shows the request of an invocation that is stored: GET
// /v1/invocations/{id}/request.

package admin

import (
	"context"
	"net/http"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

var problemNoRequest = respond.NewProblem(http.StatusNotFound, wire.NotFound, "the request of this invocation is no longer stored",
	"Requests are kept until an invocation has finished, and as long as it is in the dead set.")

// ShowRequest shows the request of an invocation, with its whole body on demand.
func (a *Admin) ShowRequest(w http.ResponseWriter, r *http.Request) error {
	key, err := anyID(r.PathValue("id"))
	if err != nil {
		return err
	}
	p, err := readParams(r, "body")
	if err != nil {
		return err
	}
	whole, err := p.flag("body")
	if err != nil {
		return err
	}
	if err := maySeeBody(r.Context(), whole); err != nil {
		return err
	}
	f, err := a.findOne(r.Context(), key)
	if err != nil {
		return err
	}
	if !f.isPending() && f.state != wire.StateDead {
		return problemNoRequest
	}
	return a.withMessage(r.Context(), f.inv, func(inv *invocation.Invocation, m message) error {
		if whole {
			a.tellBody(r, inv.ID)
			d := requestView(inv, m)
			d.MessageSize, d.MessageRaw = m.size(), m.isRaw()
			return writeWhole(w, d, m)
		}
		d, err := previewOf(inv, m, previewMost(r.Context()))
		if err != nil {
			return err
		}
		d.MessageWithheld = d.MessageWithheld || ReadsOnly(r.Context())
		return respond.JSON(w, http.StatusOK, d)
	})
}

// tellBody logs who looks at the body of a request.
func (a *Admin) tellBody(r *http.Request, id invocation.ID) {
	a.log.Info("body of a request shown", keyID, id.String(), keyBy, callerOf(r.Context()), keyPeer, r.RemoteAddr)
}

// requestView is a request without its message.
func requestView(inv *invocation.Invocation, m message) *wire.Request {
	d := &wire.Request{ID: inv.ID.String(), Headers: http.Header{}, Message: []byte{}}
	if m.request == nil {
		return d
	}
	d.Path, d.Headers = m.request.Path, shownHeader(m.request.Header)
	if m.request.QueryString != "" {
		d.Query = hidden
	}
	return d
}

// previewOf is a request with the beginning of its message.
func previewOf(inv *invocation.Invocation, m message, most int64) (*wire.Request, error) {
	d := requestView(inv, m)
	if most == 0 {
		d.MessageSize, d.MessageRaw, d.MessageCut = m.size(), m.isRaw(), m.size() > 0
		return d, nil
	}
	var l wire.Letter
	if err := m.previewUpTo(&l, most); err != nil {
		return nil, err
	}
	d.MessageSize, d.MessageRaw, d.MessageCut, d.MessageWithheld = l.MessageSize, l.MessageRaw, l.MessageCut, l.MessageWithheld
	d.Message = append(d.Message, l.Message...)
	return d, nil
}

// request reads the request of an invocation for a page, with up to most bytes of its message.
func (a *Admin) request(ctx context.Context, inv *invocation.Invocation, most int64) (d *wire.Request, err error) {
	err = a.withMessage(ctx, inv, func(inv *invocation.Invocation, m message) error {
		var err error
		d, err = previewOf(inv, m, most)
		return err
	})
	return d, err
}
