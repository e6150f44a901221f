package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ownMethod is a method of this program in an area: package, type, and the beginning of its name.
var ownMethod = regexp.MustCompile(`^(embedded|worker)\.\(\*(\w+)\)\.(\w*)$`)

// TestAreasNameMethodsThatExist: a method that was renamed would be counted under "other".
func TestAreasNameMethodsThatExist(t *testing.T) {
	source := map[string]string{
		"embedded": sourceOf(t, "../pkg/store/embedded"),
		"worker":   sourceOf(t, "../pkg/worker"),
	}
	found := 0
	for _, a := range areas {
		for _, part := range a.parts {
			m := ownMethod.FindStringSubmatch(part)
			if m == nil {
				continue
			}
			found++
			if want := " *" + m[2] + ") " + m[3]; !strings.Contains(source[m[1]], want) {
				t.Errorf("area %q names %s: got no method in package %s, want one", a.name, part, m[1])
			}
		}
	}
	if found == 0 {
		t.Error("got no area with a method of ours, want some")
	}
}

// sourceOf is the code of a package without its tests.
func sourceOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}
