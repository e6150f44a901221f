// File openapi.go serves the OpenAPI document.

package api

import (
	_ "embed" // for the document
	"net/http"

	"queue-worker/pkg/respond"
)

//go:embed openapi.yaml
var openapi []byte

const contentYAML = "application/yaml; charset=utf-8"

// document serves openapi.yaml.
func document(w http.ResponseWriter, _ *http.Request) {
	respond.Bytes(w, http.StatusOK, contentYAML, openapi)
}
