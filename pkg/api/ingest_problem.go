// File ingest_problem.go has the problems of submissions.

package api

import (
	"errors"
	"net/http"
	"time"
)

// The problems of taking work in.
var (
	problemBody = &problem{
		status: http.StatusRequestEntityTooLarge, Text: "the body is larger than max_request_bytes", Reason: tooLarge,
		Hint: "Store the content where the function can fetch it and send its address, or raise max_request_bytes.",
	}
	problemQueueSize = &problem{
		status: http.StatusRequestEntityTooLarge, Text: "the body is larger than the limit of NATS Streaming", Reason: tooLarge,
		Hint: "Raise max_payload of the NATS server, or set data_dir so that requests do not go through it.",
	}
	problemCut = &problem{
		status: http.StatusBadRequest, Text: "the body was cut off", Reason: badRequest,
		Hint: "Nothing was accepted. Send the whole body again.",
	}
	problemSlow = &problem{
		status: http.StatusRequestTimeout, Text: "the body arrived too slowly", Reason: badRequest,
		Hint: "Nothing was accepted. Send it again at 1 KiB/s or faster, within a minute.",
	}
	problemCrowded = &problem{
		status: http.StatusServiceUnavailable, wait: time.Second, Text: "no memory for the body, or it arrived too slowly while others waited for memory", Reason: busy,
		Hint: "Nothing was accepted. Try again.",
	}
	problemUnsure = &problem{
		status: http.StatusServiceUnavailable, wait: retryAfter, Text: "not confirmed in time", Reason: stalled,
		Hint: "It may still be accepted. With data_dir, sending it again with the same Idempotency-Key runs it once.",
	}
	problemName = &problem{
		status: http.StatusBadRequest, Text: "not a function's name", Reason: badRequest,
		Hint: "Use letters, digits, '-', '_' and '.', beginning with a letter or digit, such as figlet or figlet.openfaas-fn.",
	}
	problemUnknown = &problem{
		status: http.StatusNotFound, Text: "the gateway has no function of this name", Reason: unknownFunction,
		Hint: "Deploy it first, or look up its name with `faas-cli list`. ingest_check=false accepts any name.",
	}
)

// problemKey is the answer to a key of another request. It says nothing about that: it may be
// another caller's.
var problemKey = &problem{
	status: http.StatusUnprocessableEntity, Text: "the Idempotency-Key was used for another request", Reason: keyReused,
	Hint: "Repeat the request with the same path, query, body, callback URL and credentials, or use another key.",
}

// problemOfTaking is the answer to why nothing was taken; nil for any other error.
func problemOfTaking(err error) *problem {
	unavailable := func(text string, why reason, hint string) *problem {
		return &problem{
			status: http.StatusServiceUnavailable, wait: retryAfter, Text: text, Reason: why, Hint: hint, Reasons: withoutCauses(err, 2),
		}
	}
	switch {
	case errors.Is(err, ErrDraining):
		return unavailable("the worker is shutting down", busy, "Nothing was accepted. Try again; another worker accepts it.")
	case errors.Is(err, ErrFull):
		return unavailable("no room for more invocations", storeFull, "Nothing was accepted. Try again when there is room, see reasons.")
	case errors.Is(err, ErrNotConnected):
		return unavailable("NATS Streaming cannot be reached", notConnected, "Nothing was accepted. Without data_dir requests go through it; see reasons.")
	case errors.Is(err, ErrTooLarge):
		return problemQueueSize
	case errors.Is(err, ErrUnsure):
		return problemUnsure
	}
	return nil
}
