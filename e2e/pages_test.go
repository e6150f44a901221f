// File pages_test.go holds that the commands of README and of other pages work as
// they are printed. Each page is followed twice, on the same data.

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestTheReadmeRunsAsPrinted(t *testing.T) {
	t.Parallel()
	followTwice(t, "README.md")
}

func TestThePageForFunctionAuthorsRunsAsPrinted(t *testing.T) {
	t.Parallel()
	followTwice(t, "docs/functions.md")
}

func followTwice(t *testing.T, file string) {
	t.Helper()
	r := newReader(t, map[string]*stub{"localhost:3000": newStub(t)})
	r.follow(filepath.Join("..", file))
	r.follow(filepath.Join("..", file))
	r.stop()
}

// TestThePageForOperatorsRunsAsPrinted: a restored store has what the copy had.
func TestThePageForOperatorsRunsAsPrinted(t *testing.T) {
	t.Parallel()
	r := newReader(t, nil)
	r.run("systemctl start queue-worker\nqueue-worker send chaos-fn --delay 1h -d hello")
	for range 2 {
		r.follow(filepath.Join("..", "docs", "operations.md"))
		r.run("queue-worker function ls chaos-fn")
		r.expect("chaos-fn.openfaas-fn\tfaas-request\t0\t0\t1\t0")
	}
	r.stop()
}

func TestEachLineOfAPageNeedsALineOfItsOwn(t *testing.T) {
	t.Parallel()
	r := &reader{output: "dead id=1 status=500\ndead id=2 status=500\n", addresses: strings.NewReplacer()}
	if got := r.missing("dead … status=500\ndead … status=500\n"); got != "" {
		t.Errorf("missing %q, want none", got)
	}
	for _, text := range []string{"dead … status=500\ndead … status=500\ndead … status=500\n", "dead … status=404\n"} {
		if r.missing(text) == "" {
			t.Errorf("nothing is missing of %q, want r.missing(text) not empty", text)
		}
	}
}
