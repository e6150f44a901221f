// File dead_show.go shows one dead letter with its header, and its whole body on request:
// GET /v1/dead_set/{id}.

package admin

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// ShowDead shows one dead letter.
func (a *Admin) ShowDead(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
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
	inv, err := a.Store.Get(r.Context(), id)
	if err != nil {
		return err
	}
	return a.withMessage(r.Context(), inv, func(inv *invocation.Invocation, m message) error {
		if inv.State != invocation.Dead {
			return store.ErrNotFound
		}
		if whole {
			return writeWholeLetter(w, inv, m)
		}
		return writePreview(r.Context(), w, inv, m)
	})
}

func detailsOf(inv *invocation.Invocation, m message) *wire.LetterDetails {
	d := &wire.LetterDetails{Letter: letterOf(inv), Headers: http.Header{}, Answer: answerOf(inv)}
	if m.request == nil {
		return d
	}
	d.Path, d.Headers = m.request.Path, shownHeader(m.request.Header)
	if m.request.QueryString != "" {
		d.Query = hidden
	}
	return d
}

func writePreview(ctx context.Context, w http.ResponseWriter, inv *invocation.Invocation, m message) error {
	d := detailsOf(inv, m)
	if ReadsOnly(ctx) {
		d.Answer = nil
	}
	if err := m.previewFor(ctx, &d.Letter); err != nil {
		return err
	}
	return respond.JSON(w, http.StatusOK, d)
}

// emptyMessage is the message of a letter that has none. It cannot stand anywhere
// else in the JSON: in a string its quotes are escaped, and the values of headers
// are lists.
const emptyMessage = `"message":""`

// writeWholeLetter writes a dead letter with its message.
func writeWholeLetter(w http.ResponseWriter, inv *invocation.Invocation, m message) error {
	d := detailsOf(inv, m)
	d.MessageSize, d.MessageRaw = m.size(), m.isRaw()
	return writeWhole(w, d, m)
}

// writeWhole writes a document with its message, which is decoded meanwhile, so that there is
// no copy of it in memory. The length is said before, so a client can tell a cut answer.
func writeWhole(w http.ResponseWriter, d any, m message) error {
	b, err := respond.Encode(d)
	if err != nil {
		return err
	}
	at := bytes.Index(b, []byte(emptyMessage)) + len(emptyMessage) - 1 // between its quotes
	length := len(b) + base64.StdEncoding.EncodedLen(int(m.size()))
	w.Header().Set("Content-Length", strconv.Itoa(length))
	respond.Bytes(w, http.StatusOK, respond.ContentJSON, b[:at])
	e := base64.NewEncoder(base64.StdEncoding, w)
	if _, err := io.Copy(e, m.reader()); err == nil { // otherwise the client has gone, or sees that the answer is too short
		_ = e.Close()
		_, _ = w.Write(b[at:]) // #nosec G705 -- JSON, and nosniff
	}
	return nil
}

// writeListed writes a letter as part of a list, with its whole message, unless
// that is raw and may hold credentials. What fails while writing shows when the
// list is flushed.
func writeListed(out *paced, l wire.Letter, m message) error {
	l.MessageSize, l.MessageRaw = m.size(), m.isRaw()
	if l.MessageRaw && mentionsSecret(m.raw) {
		l.MessageWithheld, l.MessageCut = true, true
	}
	b, err := respond.Encode(l)
	if err != nil {
		return err
	}
	at := bytes.Index(b, []byte(emptyMessage)) + len(emptyMessage) - 1 // between its quotes
	_, _ = out.Write(b[:at])
	if !l.MessageWithheld {
		e := base64.NewEncoder(base64.StdEncoding, out)
		_, _ = io.Copy(e, m.reader())
		_ = e.Close()
	}
	_, _ = out.Write(bytes.TrimSuffix(b[at:], []byte("\n")))
	return nil
}
