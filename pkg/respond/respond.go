// Package respond writes the answers of the HTTP surface: documents of pkg/wire, text, and
// problems, which are errors with an answer of their own.
//
// What callers wrote can be part of a document, so every document is escaped here for
// terminals. The package does not decide which answer is right, but for the errors of the
// store, see ProblemOf.
package respond

import (
	"bytes"
	"encoding/json"
	"net/http"

	"queue-worker/pkg/escape"
)

// Content types of answers.
const (
	ContentJSON = "application/json; charset=utf-8"
	ContentText = "text/plain; charset=utf-8"
)

// Encode makes JSON that can be shown on a terminal, without escapes for the sake of
// HTML, and a line end. Every document and line of the API is made here.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return escape.JSON(b.Bytes()), err
}

// JSON answers with v. The error is that of encoding, and nothing has been
// written then; a client that has gone is none.
func JSON(w http.ResponseWriter, status int, v any) error {
	b, err := Encode(v)
	if err != nil {
		return err
	}
	Bytes(w, status, ContentJSON, b)
	return nil
}

// Text answers with a text.
func Text(w http.ResponseWriter, text string) {
	Bytes(w, http.StatusOK, ContentText, []byte(text))
}

// Bytes answers with a body of any type.
func Bytes(w http.ResponseWriter, status int, contentType string, b []byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(b) // #nosec G705 -- JSON or plain text, and nosniff
}
