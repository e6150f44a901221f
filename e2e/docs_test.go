package e2e

// The page for people is true: every line of it is run as it stands there.

import (
	"net/http"
	"os"
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
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	operation := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "# "); ok {
			operation = name
		}
		if strings.HasPrefix(line, "curl ") {
			all = append(all, curlLine{operation, line})
		}
	}
	return all
}

func TestEveryLineOfThePageAboutTheAPIWorksAndEveryOperationHasOne(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("the lines are for %s, which is not here", program)
		}
	}
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
			t.Errorf("%s: %v\n%s", line.command, err, out)
		}
	}
	for name := range operations(doc) {
		if !had[name] {
			t.Errorf("%s has no line", name)
		}
	}
}
