// File invocation_result.go returns the answer of a function: GET
// /v1/invocations/{id}/result.

package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

var (
	problemNotOver = respond.NewProblem(http.StatusConflict, wire.NotOver, "the invocation has not finished",
		"GET the invocation with ?wait=5m, which answers when it has.")
	problemNoResult = respond.NewProblem(http.StatusNotFound, wire.NoResult, "no result of this invocation is kept",
		"Set result_ttl to keep results of functions from then on. A cancelled invocation has none.")
)

// ShowResult answers as the function did.
func (a *Admin) ShowResult(w http.ResponseWriter, r *http.Request) error {
	key, err := anyID(r.PathValue("id"))
	if err != nil {
		return err
	}
	if _, err := readParams(r); err != nil {
		return err
	}
	f, err := a.findOne(r.Context(), key)
	if err != nil {
		return err
	}
	if f.isPending() {
		return problemNotOver
	}
	return a.withResult(r.Context(), f.inv.ID, func(res *store.Result) { writeResult(w, res) })
}

// withResult reads a result with its body and calls use.
func (a *Admin) withResult(ctx context.Context, id invocation.ID, use func(*store.Result)) error {
	return a.withRoom(ctx, a.MaxResponseBytes, func() error {
		res, err := a.Store.Result(ctx, id, true)
		switch {
		case errors.Is(err, store.ErrNotFound), err == nil && res.Status == 0:
			return problemNoResult
		case err != nil:
			return err
		}
		use(res)
		return nil
	})
}

// withRoom calls use once answers together hold so little that there is room for so
// many bytes more.
func (a *Admin) withRoom(ctx context.Context, bytes int64, use func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, rawWait, problemBusy)
	defer cancel()
	bytes = min(bytes, rawBytes)
	if a.raw.Acquire(ctx, bytes) != nil {
		return context.Cause(ctx)
	}
	defer a.raw.Release(bytes)
	return use()
}

// writeResult answers as the function did. Browsers show the answer from the
// worker's own origin, so it runs nothing there, and of its header only what
// describes the body is passed on.
func writeResult(w http.ResponseWriter, res *store.Result) {
	h := w.Header()
	for name, values := range res.Header {
		if name = http.CanonicalHeaderKey(name); slices.Contains(resultFields, name) {
			h[name] = values
		}
	}
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	h.Set(wire.HeaderOutcome, string(res.Outcome))
	h.Set(wire.HeaderStatus, strconv.Itoa(res.Status))
	if res.Truncated {
		h.Set(wire.HeaderTruncated, "true")
	}
	status := res.Status
	if status < 200 || status > 999 {
		status = http.StatusOK // neither is a final status
	}
	if !hasBody(status) {
		w.WriteHeader(status)
		return
	}
	if _, typed := h["Content-Type"]; !typed {
		h["Content-Type"] = nil // or net/http would guess one
	}
	h.Set("Content-Length", strconv.Itoa(len(res.Body)))
	w.WriteHeader(status)
	_, _ = w.Write(res.Body) // #nosec G705 -- the function's own, sandboxed and nosniff
}

// hasBody reports whether an answer with a status may have a body.
func hasBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// resultFields are the fields of a function's answer that its result has. Any other
// may tell browsers, proxies or clients to do something: Location, Link, Report-To,
// X-Accel-Redirect. Callbacks carry the others.
var resultFields = []string{
	"Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition", "Etag", "Last-Modified",
}
