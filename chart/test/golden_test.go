package chart

// Whole renderings: the values files of testdata/values come out as testdata/golden
// has them, and those of testdata/refused do not come out at all.

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is compared into the files")

// valueFiles are the values files of a folder, by name.
func valueFiles(t *testing.T, folder string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
	switch {
	case err != nil:
		t.Fatalf("no values files in testdata/%s (%v): err = %v, want nil", folder, err, err)
	case len(paths) == 0:
		t.Fatalf("no values files in testdata/%s (%v): len(paths) = %d, want not 0", folder, err, len(paths))
	}
	found := map[string]string{}
	for _, p := range paths {
		found[strings.TrimSuffix(filepath.Base(p), ".yaml")] = read(t, p)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// golden compares text with a file, or writes it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(read(t, path), got); d != "" {
		t.Errorf("%s (-want +got), go test -update writes it:\n%s", path, d)
	}
}

func TestValuesFilesRenderAsTheyDid(t *testing.T) {
	t.Parallel()
	for name, text := range valueFiles(t, "values") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := render(t, text)
			golden(t, filepath.Join("testdata", "golden", name+".yaml"), withoutFiles(r.text))
			golden(t, filepath.Join("testdata", "golden", name+".notes.txt"), r.notes)
		})
	}
}

// withoutFiles leaves out the dashboard and the alerts, which have tests and a
// place of their own.
func withoutFiles(text string) string {
	var kept []string
	skip := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "---") {
			skip = false
		}
		if !skip {
			kept = append(kept, line)
		}
		if strings.HasPrefix(line, "  queue-worker.json: |") || strings.HasPrefix(line, "  groups:") {
			skip = true
		}
	}
	return strings.Join(kept, "")
}

// TestValuesFilesThatAreRefused: the first line of each says what the error has
// to name.
func TestValuesFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range valueFiles(t, "refused") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, _, _ := strings.Cut(text, "\n")
			want, is := strings.CutPrefix(first, "# error: ")
			if !is {
				t.Fatalf("the first line is %q, want one with the error", first)
			}
			_, err := files(t, text)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error is %v, want one with %q", err, want)
			}
		})
	}
}
