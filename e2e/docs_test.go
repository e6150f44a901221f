// File docs_test.go holds that each operation of the HTTP API has a line of curl in
// docs/api.md that works as it is printed.

package e2e

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// curlLine is a line of a page that begins with curl, and the operation that the
// comment above it names.
type curlLine struct{ operation, command string }

func curlLines(t *testing.T, file string) (all []curlLine) {
	t.Helper()
	for _, b := range blocksOf(t, file) {
		operation := ""
		for line := range strings.Lines(b.text) {
			line = strings.TrimSpace(line)
			if name, ok := strings.CutPrefix(line, "# "); ok {
				operation = name
			}
			if strings.HasPrefix(line, "curl ") {
				all = append(all, curlLine{operation, line})
			}
		}
	}
	return all
}

func TestEachLineOfTheAPIPageWorksAndEachOperationHasOne(t *testing.T) {
	t.Parallel()
	needPrograms(t, "bash", "curl")
	o := newTour(t)
	_, text := o.w.ask(t, http.MethodGet, "/openapi.yaml")
	doc := readDocument(t, []byte(text))
	dir, had := t.TempDir(), map[string]bool{}
	for _, line := range curlLines(t, filepath.Join("..", "docs", "api.md")) {
		if had[line.operation] || operations(doc)[line.operation] == nil {
			t.Errorf("%q stands above a line, and is no operation or has one already", line.operation)
		}
		had[line.operation] = true
		cmd := exec.CommandContext(t.Context(), "bash", "-c", line.command)
		cmd.Dir, cmd.Env = dir, environment()
		for name, value := range o.prepare(line.operation) {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s, want no error", line.command, err, out)
		}
	}
	for name := range operations(doc) {
		if !had[name] {
			t.Errorf("%s has no line", name)
		}
	}
}
