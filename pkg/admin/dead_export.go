// File dead_export.go exports the dead letters that match a filter, whole, one a line: GET
// /v1/dead_set/export.

package admin

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"math"
	"net/http"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// ExportDead writes whole dead letters, one per line.
func (a *Admin) ExportDead(w http.ResponseWriter, r *http.Request) error {
	f, err := a.queryFilter(r)
	if err != nil {
		return err
	}
	n, err := a.answer(w, r, stream{filter: f, most: math.MaxInt, contentType: wire.MediaLines, letter: a.writeRecord})
	if err == nil {
		a.log.Info("dead set exported", keyCount, n, keyBy, callerOf(r.Context()), keyPeer, r.RemoteAddr)
	}
	return err
}

// writeRecord writes one line. A letter that cannot be read says so on its line,
// so that it hides no others and is not missed.
func (a *Admin) writeRecord(ctx context.Context, out *paced, inv *invocation.Invocation, _ int) error {
	err := a.withRaw(ctx, inv, func(inv *invocation.Invocation, raw []byte) error {
		if inv.State != invocation.Dead {
			return store.ErrNotFound
		}
		return writeLine(out, recordOf(inv), raw)
	})
	if err == nil || isOfAll(err) || ctx.Err() != nil {
		return err
	}
	r := recordOf(inv)
	r.Error = "the store has lost its message or cannot read it" // the store has logged why
	return writeLine(out, r, nil)
}

// isOfAll reports whether an error concerns more than one letter, or says that
// the letter has left the dead set since.
func isOfAll(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrFailed) || errors.Is(err, store.ErrClosed)
}

// lineEnd follows the QueueRequest, which is empty when the line is encoded.
const lineEnd = "\"}\n"

// writeLine writes the QueueRequest while it is encoded, so that there is no copy
// of it in memory. What fails while writing shows when the page is flushed.
func writeLine(out *paced, r *wire.Record, raw []byte) error {
	r.Request = []byte{}
	b, err := respond.Encode(r)
	if err != nil {
		return err
	}
	_, _ = out.Write(bytes.TrimSuffix(b, []byte(lineEnd)))
	e := base64.NewEncoder(base64.StdEncoding, out)
	_, _ = e.Write(raw)
	_ = e.Close()
	_, _ = out.WriteString(lineEnd)
	return nil
}
