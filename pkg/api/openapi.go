// File openapi.go serves the OpenAPI document.

package api

import (
	_ "embed" // for the document
	"net/http"
)

//go:embed openapi.yaml
var openapi []byte

const contentYAML = "application/yaml; charset=utf-8"

// document serves openapi.yaml.
func document(w http.ResponseWriter, _ *http.Request) {
	writeBytes(w, http.StatusOK, contentYAML, openapi)
}
