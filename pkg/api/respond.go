package api

import (
	"bytes"
	"encoding/json"
	"net/http"

	"queue-worker/pkg/escape"
)

// Keys of log lines.
const (
	keyID     = "id"
	keyBy     = "by"
	keyPeer   = "peer"
	keyAct    = "act"
	keyCount  = "count"
	keyMethod = "method"
	keyRoute  = "route"
	keyError  = "error"
)

const (
	contentJSON = "application/json; charset=utf-8"
	contentText = "text/plain; charset=utf-8"

	contentLines = "application/x-ndjson"
)

// encode makes JSON that can be shown on a terminal, without escapes for the sake of
// HTML, and a line end. Every document and line of the API is made here.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return escape.JSON(b.Bytes()), err
}

// writeJSON answers with v. The error is that of encoding, and nothing has been
// written then; a client that has gone is none.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	b, err := encode(v)
	if err != nil {
		return err
	}
	writeBytes(w, status, contentJSON, b)
	return nil
}

func writeText(w http.ResponseWriter, text string) {
	writeBytes(w, http.StatusOK, contentText, []byte(text))
}

func writeBytes(w http.ResponseWriter, status int, contentType string, b []byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(b) // #nosec G705 -- JSON or plain text, and nosniff
}
