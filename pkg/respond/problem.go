// File problem.go has errors that have an answer of their own.

package respond

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// RetryAfter is how long clients have to wait after a temporary 503.
const RetryAfter = 10 * time.Second

// Problem is an error and its answer. Its texts never repeat anything of the request.
type Problem struct {
	wire.Problem
	Status int
	Wait   time.Duration // Retry-After, 0 for none
}

// NewProblem makes a problem that the client has to solve, or an operator.
func NewProblem(status int, reason wire.Reason, text, hint string) *Problem {
	return &Problem{Status: status, Problem: wire.Problem{Text: text, Reason: reason, Hint: hint}}
}

// Later makes a problem that may be gone in a moment.
func Later(reason wire.Reason, text, hint string) *Problem {
	p := NewProblem(http.StatusServiceUnavailable, reason, text, hint)
	p.Wait = RetryAfter
	return p
}

// Refuse makes the problem of a request that says something wrong.
func Refuse(text, hint string) *Problem {
	return NewProblem(http.StatusBadRequest, wire.BadRequest, text, hint)
}

func (p *Problem) Error() string { return p.Text }

// Write answers with the document of the problem.
func (p *Problem) Write(w http.ResponseWriter) {
	p.SetRetryAfter(w)
	_ = JSON(w, p.Status, p.Problem) // strings encode always
}

// WriteText answers with the problem as text.
func (p *Problem) WriteText(w http.ResponseWriter) {
	p.SetRetryAfter(w)
	Bytes(w, p.Status, ContentText, []byte(p.Text+": "+p.Hint+"\n"))
}

// SetRetryAfter sets the header field of a problem that may be gone in a moment.
func (p *Problem) SetRetryAfter(w http.ResponseWriter) {
	if p.Wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(p.Wait.Seconds())))
	}
}

// The problems of the store.
var (
	problemCursor = Refuse("not a cursor of this listing",
		"Take it unchanged from \"next\" of the previous page, or leave it out to begin at the oldest.")
	problemNotFound = NewProblem(http.StatusNotFound, wire.NotFound, "no dead letter has this id",
		"Check the id; it may have been replayed, dropped or removed by a bound of the dead set.")
	problemInternal = NewProblem(http.StatusInternalServerError, wire.Internal, "the store could not be read",
		"See the worker's log; run `queue-worker store check` on a stopped worker.")
	problemFailed = Later(wire.Unhealthy, "the store has failed",
		"Check the disk below data_dir and restart the worker; nothing confirmed is lost.")
	problemClosed = Later(wire.Busy, "the worker is shutting down",
		"Nothing was changed. Try again when it is back.")
	problemAway = Later(wire.Stalled, "the store cannot be reached",
		"See /readyz. Nothing was changed; try again when it says ready.")
	problemStalled = Later(wire.Stalled, "the store did not answer in time",
		"See /readyz; the disk may be full. The change may still happen, so check before you repeat it.")
)

// ProblemOf is the answer to an error of a request. One that is neither a problem nor an
// error of the store that clients have to expect is logged.
func ProblemOf(logger *slog.Logger, r *http.Request, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
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
	case errors.Is(err, store.ErrUnavailable):
		return problemAway
	case errors.Is(err, context.DeadlineExceeded):
		return problemStalled
	case errors.Is(err, context.Canceled):
		return problemClosed // the client has gone and reads nothing
	}
	logger.Error("request failed", "method", r.Method, "route", r.Pattern, "error", err)
	return problemInternal
}
