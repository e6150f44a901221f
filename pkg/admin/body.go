// File body.go reads JSON bodies.

package admin

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/go-json-experiment/json"

	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// maxBody bounds the JSON that an operation reads. Its largest has a filter.
const maxBody = 64 << 10

var (
	problemJSON = respond.Refuse("the body is not the expected JSON",
		"Send one JSON object; each key at most once, spelt as documented, with a value of its type.")
	problemUnknownKey = respond.Refuse("the body has an unknown key",
		"Spell keys exactly as documented: a filter with a typing error would match everything.")
	problemTooLarge = respond.NewProblem(http.StatusRequestEntityTooLarge, wire.TooLarge, "the body is too large",
		"Send a shorter body; this path reads a few KiB.")
)

// readJSON decodes the body of a request into v, which points to a struct. A
// body that is missing is an empty object. Errors are problems.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	b, err := readBody(w, r)
	if err != nil || len(b) == 0 {
		return err
	}
	return decodeJSON(b, v)
}

// readBody reads a short body whole.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooMuch := errors.AsType[*http.MaxBytesError](err); tooMuch {
		return nil, problemTooLarge
	}
	if err != nil {
		return nil, respond.Refuse("the body was cut off", "send it whole")
	}
	return b, nil
}

// decodeJSON decodes an object strictly: no key twice, none that is unknown.
func decodeJSON(b []byte, v any) error {
	if !bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{")) {
		return problemJSON
	}
	err := json.Unmarshal(b, v, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	if v, ok := errors.AsType[*wire.ValueError](err); ok {
		return problemOfValue(v)
	}
	if errors.Is(err, json.ErrUnknownName) {
		return problemUnknownKey
	}
	return problemJSON
}
