// File problem.go maps errors to answers of one JSON shape.

package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// reason is the word for a program that reads an error. The set is closed.
type reason string

const (
	badRequest       reason = "bad_request"        // 400: a parameter or an id
	unauthorized     reason = "unauthorized"       // 401: credentials are missing or wrong
	forbidden        reason = "forbidden"          // 403: not from there, or no credentials can be checked
	notFound         reason = "not_found"          // 404: no such path, or no such letter
	methodNotAllowed reason = "method_not_allowed" // 405
	notDead          reason = "not_dead"           // 409: it is there, but not dead
	isDead           reason = "dead"               // 409: it is in the dead set
	notOver          reason = "not_over"           // 409: it is pending
	isAmbiguous      reason = "ambiguous"          // 409: a call id that came more than once
	noResult         reason = "no_result"          // 404: it has finished, and no result was kept
	tooLarge         reason = "too_large"          // 413, 431
	unknownFunction  reason = "unknown_function"   // 404: the gateway says that there is no such function
	keyReused        reason = "key_reused"         // 422: the Idempotency-Key stands for something else
	internal         reason = "internal"           // 500: see the log
	unhealthy        reason = "unhealthy"          // 503: only a restart can help
	notReady         reason = "not_ready"          // 503: see reasons
	stalled          reason = "stalled"            // 503: the outcome is not known yet
	busy             reason = "busy"               // 503: nothing was done
	storeFull        reason = "store_full"         // 503: nothing is accepted for lack of room
	notConnected     reason = "not_connected"      // 503: nothing is accepted, because NATS Streaming is away
)

// retryAfter is how long clients have to wait after a temporary 503.
const retryAfter = 10 * time.Second

// problem is an error and its answer. Its texts never repeat anything of the
// request.
type problem struct {
	status int
	wait   time.Duration // Retry-After, 0 for none

	Text    string   `json:"error"`
	Reason  reason   `json:"reason"`
	Hint    string   `json:"hint"`
	Reasons []string `json:"reasons,omitempty"`
	// IDs are the invocations of a call id that was used more than once.
	IDs []invocation.ID `json:"ids,omitempty"`
}

func (p *problem) Error() string { return p.Text }

// ServeHTTP answers with the problem, the mailbox's callers with text.
func (p *problem) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.setRetryAfter(w)
	if r != nil && isMailbox(r.URL.Path) {
		writeBytes(w, p.status, contentText, []byte(p.Text+": "+p.Hint+"\n"))
		return
	}
	_ = writeJSON(w, p.status, p) // strings encode always
}

func (p *problem) setRetryAfter(w http.ResponseWriter) {
	if p.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(p.wait.Seconds())))
	}
}

// The problems that are always the same.
var (
	problemPath = &problem{
		status: http.StatusNotFound, Text: "no such path", Reason: notFound,
		Hint: "GET /openapi.yaml for all paths; a slash at the end makes it another path.",
	}
	problemHeader = &problem{
		status: http.StatusRequestHeaderFieldsTooLarge, Text: "the header is too large", Reason: tooLarge,
		Hint: "request line and header together may have 64 KiB; send the rest in the body",
	}
	problemMethod = &problem{
		status: http.StatusMethodNotAllowed, Text: "this path does not have that method", Reason: methodNotAllowed,
		Hint: "Use a method of the header Allow.",
	}
	problemID = &problem{
		status: http.StatusBadRequest, Text: "not an invocation id", Reason: badRequest,
		Hint: "Use a UUID such as 0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7; it is \"id\" in the listing, not the call id.",
	}
	problemCursor = &problem{
		status: http.StatusBadRequest, Text: "not a cursor of this listing", Reason: badRequest,
		Hint: "Take it unchanged from \"next\" of the previous page, or leave it out to begin at the oldest.",
	}
	problemNotFound = &problem{
		status: http.StatusNotFound, Text: "no dead letter has this id", Reason: notFound,
		Hint: "Check the id; it may have been replayed, dropped or removed by a bound of the dead set.",
	}
	problemNotDead = &problem{
		status: http.StatusConflict, Text: "the invocation is not in the dead set", Reason: notDead,
		Hint: "GET it for its state; it is pending or in flight, perhaps because it was replayed.",
	}
	problemInternal = &problem{
		status: http.StatusInternalServerError, Text: "the store could not be read", Reason: internal,
		Hint: "See the worker's log; run `queue-worker store check` on a stopped worker.",
	}
	problemFailed = &problem{
		status: http.StatusServiceUnavailable, wait: retryAfter, Text: "the store has failed", Reason: unhealthy,
		Hint: "Check the disk below data_dir and restart the worker; nothing confirmed is lost.",
	}
	problemClosed = &problem{
		status: http.StatusServiceUnavailable, wait: retryAfter, Text: "the worker is shutting down", Reason: busy,
		Hint: "Nothing was changed. Try again when it is back.",
	}
	problemStalled = &problem{
		status: http.StatusServiceUnavailable, wait: retryAfter, Text: "the store did not answer in time", Reason: stalled,
		Hint: "See /readyz; the disk may be full. The change may still happen, so check before you repeat it.",
	}
	problemBusy = &problem{
		status: http.StatusServiceUnavailable, wait: retryAfter, Text: "too many large messages are being read", Reason: busy,
		Hint: "Nothing was changed. Try again.",
	}
)

// problemOf is the answer to an error.
func (a *api) problemOf(r *http.Request, err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if p := problemOfTaking(err); p != nil {
		return p
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return problemNotFound
	case errors.Is(err, store.ErrBadCursor):
		return problemCursor
	case errors.Is(err, store.ErrFailed):
		return problemFailed
	case errors.Is(err, store.ErrClosed):
		return problemClosed
	case errors.Is(err, context.DeadlineExceeded):
		return problemStalled
	case errors.Is(err, context.Canceled):
		return problemClosed // the client has gone and reads nothing
	}
	a.log.Error("request failed", keyMethod, r.Method, keyRoute, r.Pattern, keyError, err)
	return problemInternal
}
