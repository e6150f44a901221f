package testkit

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files and generated pages instead of comparing with them")

// Golden compares text with a file, or writes the file with -update.
func Golden(t testing.TB, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil { // #nosec G306 -- files of the repository
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path) // #nosec G304 -- a test names it
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got), go test -update writes it:\n%s", path, d)
	}
}
