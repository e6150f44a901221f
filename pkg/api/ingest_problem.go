package api

// Why work is not taken in, as answers.

import (
	"errors"
	"net/http"
	"time"
)

// The problems of taking work in.
var (
	problemBody = &problem{
		status: http.StatusRequestEntityTooLarge, Text: "the body is larger than max_request_bytes", Reason: tooLarge,
		Hint: "put the content where the function can fetch it and send its address, or raise max_request_bytes",
	}
	problemQueueSize = &problem{
		status: http.StatusRequestEntityTooLarge, Text: "the body is larger than NATS Streaming takes", Reason: tooLarge,
		Hint: "raise max_payload of the NATS server, or set data_dir: then work does not go through it",
	}
	problemCut = &problem{
		status: http.StatusBadRequest, Text: "the body was cut off", Reason: badRequest,
		Hint: "nothing was taken; send it again, whole",
	}
	problemSlow = &problem{
		status: http.StatusRequestTimeout, Text: "the body came too slowly", Reason: badRequest,
		Hint: "nothing was taken; send it again, at 1 KiB a second or more and within a minute",
	}
	problemCrowded = &problem{
		status: http.StatusServiceUnavailable, wait: time.Second, Text: "no memory for the body, or it came too slowly while others waited for memory", Reason: busy,
		Hint: "nothing was taken; try again",
	}
	problemUnsure = &problem{
		status: http.StatusServiceUnavailable, wait: retryAfter, Text: "no confirmation came in time", Reason: stalled,
		Hint: "it may still be taken in; with data_dir, sending it again under the same Idempotency-Key runs nothing twice",
	}
	problemName = &problem{
		status: http.StatusBadRequest, Text: "not a function's name", Reason: badRequest,
		Hint: "a name has letters, digits, '-', '_' and '.', and begins with a letter or digit, such as figlet or figlet.openfaas-fn",
	}
	problemUnknown = &problem{
		status: http.StatusNotFound, Text: "the gateway has no function of this name", Reason: unknownFunction,
		Hint: "deploy it first, or see its name with `faas-cli list`; ingest_check=false takes work for any name",
	}
)

// problemKey is the answer to a key that stands for something else. It says nothing about that: it may be
// another caller's.
var problemKey = &problem{
	status: http.StatusUnprocessableEntity, Text: "the Idempotency-Key was used for another request", Reason: keyReused,
	Hint: "repeat the request with the same path, query, body, callback URL and credentials, or use another key",
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
		return unavailable("the worker is shutting down", busy, "nothing was taken; try again, another worker or the next one takes it")
	case errors.Is(err, ErrFull):
		return unavailable("there is no room for more work", storeFull, "nothing was accepted; requests are accepted again when there is room, see reasons")
	case errors.Is(err, ErrNotConnected):
		return unavailable("NATS Streaming cannot be reached", notConnected, "nothing was taken; without data_dir work goes through it, see reasons")
	case errors.Is(err, ErrTooLarge):
		return problemQueueSize
	case errors.Is(err, ErrUnsure):
		return problemUnsure
	}
	return nil
}
