// File problem.go has the errors of the server, and of answers that are not from one.

package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"queue-worker/pkg/wire"
)

// Reasons that are this package's own. The others are those of the server.
const (
	ReasonUnreachable wire.Reason = "unreachable"    // no connection, or none that lasted
	ReasonForeign     wire.Reason = "foreign_answer" // no answer of a queue-worker
	ReasonCut         wire.Reason = "cut"            // the answer ended too early
	ReasonRedirect    wire.Reason = "redirect"       // redirects are not followed
	ReasonTimeout     wire.Reason = "timeout"        // no answer in time
)

// Error is an answer that is no success. Its text is one line, or two when there
// is a hint: what is wrong, and what to do about it.
type Error struct {
	Status int // of the answer; 0 without one
	wire.Problem
	RetryAfter time.Duration // what the server asks to wait; 0: nothing

	cause error
	raw   []byte // the answer; nil when it is none of a queue-worker
}

func (e *Error) Error() string {
	text := e.Text
	if len(e.Reasons) > 0 {
		text += ": " + strings.Join(e.Reasons, "; ")
	}
	if len(e.IDs) > 0 {
		text += ": " + strings.Join(e.IDs, ", ")
	}
	if e.Hint != "" {
		text += "\n" + e.Hint
	}
	return text
}

func (e *Error) Unwrap() error { return e.cause }

// IsNotFound reports whether the server has said that a thing is not there.
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

// IsConflict reports whether the server has refused because of a thing's state.
func IsConflict(err error) bool { return hasStatus(err, http.StatusConflict) }

func hasStatus(err error, status int) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == status && e.Reason != ReasonForeign
}

// IsPassing reports whether the same request may succeed a little later without
// anybody doing anything.
func IsPassing(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	return e.Reason == ReasonUnreachable || e.Reason == ReasonCut || e.Reason == ReasonTimeout ||
		e.Status == http.StatusServiceUnavailable || e.Status == http.StatusTooManyRequests || e.Status == http.StatusBadGateway
}

// problemOf makes an error of an answer that is none of those expected. It reads
// the body.
func (c *Client) problemOf(r *http.Response) error {
	if r.StatusCode >= 300 && r.StatusCode < 400 {
		return &Error{
			Status: r.StatusCode,
			Problem: wire.Problem{
				Reason: ReasonRedirect,
				Text:   fmt.Sprintf("%s answers %d and leads to %s", c.Server(), r.StatusCode, withoutSecrets(r.Header.Get("Location"))),
				Hint:   "Give --server the final address; redirects are not followed, because credentials could go to another server.",
			},
		}
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxProblem)) // what can be read of it is enough
	e := &Error{Status: r.StatusCode, RetryAfter: retryAfter(r.Header)}
	if !isJSON(r.Header) || json.Unmarshal(body, &e.Problem) != nil || e.Text == "" {
		return c.foreign(r)
	}
	e.raw = body
	return e
}

// foreign is the error for an answer that a queue-worker does not give.
func (c *Client) foreign(r *http.Response) *Error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		kind = "an unknown type"
	}
	e := &Error{
		Status: r.StatusCode, RetryAfter: retryAfter(r.Header),
		Problem: wire.Problem{
			Reason: ReasonForeign,
			Text:   fmt.Sprintf("%s answers %d with %s, which is no answer of this version of queue-worker", c.Server(), r.StatusCode, kind),
			Hint:   "Give the address of the worker with --server (port 8081 by default), not that of the gateway or of a proxy before it.",
		},
	}
	if r.StatusCode == http.StatusUnauthorized {
		e.Hint = "Check the credentials of the proxy before the worker."
	}
	return e
}

// withoutSecrets is an address without what may be secret in it.
func withoutSecrets(location string) string {
	if i := strings.IndexAny(location, "?#"); i >= 0 {
		location = location[:i]
	}
	if i := strings.LastIndexByte(location, '@'); i >= 0 {
		location = location[i+1:]
	}
	if location == "" {
		return "nowhere"
	}
	return location
}

func isJSON(h http.Header) bool { return hasType(h, "application/json") }

func hasType(h http.Header, want string) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && kind == want
}

// retryAfter reads the header in seconds, which is the form that the server uses.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 || n > 24*3600 {
		return 0
	}
	return time.Duration(n) * time.Second
}
