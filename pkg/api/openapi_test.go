package api_test

// The document names every operation of the surface and no other.

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/api"
)

func TestTheDocumentNamesEveryOperationAndWhoMayAsk(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := r.Ask(t, http.MethodGet, "/openapi.yaml")
	switch {
	case got.Status != http.StatusOK:
		t.Fatalf("it is answered %d %v, want status %d", got.Status, got.Header, http.StatusOK)
	case got.Header.Get("Content-Type") != api.ContentYAML:
		t.Fatalf("it is answered %d %v, want Content-Type %v", got.Status, got.Header, api.ContentYAML)
	}
	doc, err := openapi3.NewLoader().LoadFromData([]byte(got.Body))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			documented[method+" "+path] = op.Security == nil // else it says that it is open
		}
	}
	served := map[string]bool{}
	spelt := strings.NewReplacer("{path...}", "{path}", "{$}", "")
	for _, op := range r.operations() {
		if isOfConsole(op.Path) {
			continue
		}
		served[op.Method+" "+spelt.Replace(op.Path)] = op.Guarded
	}
	if d := cmp.Diff(served, documented); d != "" {
		t.Errorf("guarded, by operation (-served +documented):\n%s", d)
	}
}

var aReason = regexp.MustCompile(`\bReason = "([a-z_]+)"`)

func TestTheDocumentNamesEveryReasonOfAnError(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../wire/problem.go")
	if err != nil {
		t.Fatal(err)
	}
	var used []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range aReason.FindAllStringSubmatch(string(text), -1) {
			used = append(used, m[1])
		}
	}
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, v := range doc.Components.Schemas["Problem"].Value.Properties["reason"].Value.Enum {
		documented = append(documented, v.(string))
	}
	slices.Sort(used)
	slices.Sort(documented)
	if d := cmp.Diff(slices.Compact(used), documented); d != "" {
		t.Errorf("reasons (-used +documented):\n%s", d)
	}
}
