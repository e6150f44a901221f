// File problem.go has the problems of submissions.

package ingest

import (
	"errors"
	"net/http"
	"time"

	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// The problems of accepting work.
var (
	problemBody = respond.NewProblem(http.StatusRequestEntityTooLarge, wire.TooLarge, "the body is larger than max_request_bytes",
		"Store the content where the function can fetch it and send its address, or raise max_request_bytes.")
	problemQueueSize = respond.NewProblem(http.StatusRequestEntityTooLarge, wire.TooLarge, "the body is larger than the limit of NATS Streaming",
		"Raise max_payload of the NATS server, or set data_dir so that requests do not go through it.")
	problemCut = respond.Refuse("the body was cut off",
		"Nothing was accepted. Send the whole body again.")
	problemSlow = respond.NewProblem(http.StatusRequestTimeout, wire.BadRequest, "the body arrived too slowly",
		"Nothing was accepted. Send it again at 1 KiB/s or faster, within a minute.")
	problemCrowded = &respond.Problem{
		Status: http.StatusServiceUnavailable, Wait: time.Second,
		Problem: wire.Problem{
			Text:   "no memory for the body, or it arrived too slowly while others waited for memory",
			Reason: wire.Busy, Hint: "Nothing was accepted. Try again.",
		},
	}
	problemUnsure = respond.Later(wire.Stalled, "not confirmed in time",
		"It may still be accepted. With data_dir, sending it again with the same Idempotency-Key runs it once.")
	problemName = respond.Refuse("not a function's name",
		"Use letters, digits, '-', '_' and '.', beginning with a letter or digit, such as figlet or figlet.openfaas-fn.")
	problemUnknown = respond.NewProblem(http.StatusNotFound, wire.UnknownFunction, "the gateway has no function of this name",
		"Deploy it first, or look up its name with `faas-cli list`. ingest_check=false accepts any name.")
)

// problemKey is the answer to a key of another request. It says nothing about that: it may be
// another caller's.
var problemKey = respond.NewProblem(http.StatusUnprocessableEntity, wire.KeyReused, "the Idempotency-Key was used for another request",
	"Repeat the request with the same path, query, body, callback URL and credentials, or use another key.")

// problemOfTaking is the answer to why nothing was taken; nil for any other error.
func problemOfTaking(err error) *respond.Problem {
	unavailable := func(text string, why wire.Reason, hint string) *respond.Problem {
		p := respond.Later(why, text, hint)
		p.Reasons = respond.WithoutCauses(err, 2)
		return p
	}
	switch {
	case errors.Is(err, errDraining):
		return unavailable("the worker is shutting down", wire.Busy, "Nothing was accepted. Try again; another worker accepts it.")
	case errors.Is(err, errFull):
		return unavailable("no room for more invocations", wire.StoreFull, "Nothing was accepted. Try again when there is room, see reasons.")
	case errors.Is(err, errNotConnected):
		return unavailable("NATS Streaming cannot be reached", wire.NotConnected, "Nothing was accepted. Without data_dir requests go through it; see reasons.")
	case errors.Is(err, errTooLarge):
		return problemQueueSize
	case errors.Is(err, errUnsure):
		return problemUnsure
	}
	return nil
}
