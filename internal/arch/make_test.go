package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	helped   = regexp.MustCompile(`(?m)^([a-z-]+):.*## `)
	phony    = regexp.MustCompile(`(?m)^\.PHONY: (.*)$`)
	mentions = regexp.MustCompile("(?m)(?:^|`|[A-Za-z_]=\\S+ )make ([a-z-]+)")
)

func TestPapersNameOnlyMakeTargetsThatExist(t *testing.T) {
	t.Parallel()
	makefile := read(t, "../../Makefile")
	var targets []string
	for _, m := range helped.FindAllStringSubmatch(makefile, -1) {
		targets = append(targets, m[1])
	}
	if declared := strings.Fields(phony.FindStringSubmatch(makefile)[1]); !slices.Equal(slices.Sorted(slices.Values(declared)), slices.Sorted(slices.Values(targets))) {
		t.Errorf("targets with a text for make help are %v, declared are %v, want %v", targets, declared, slices.Sorted(slices.Values(targets)))
	}
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/*/*.md", "../../.ci/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			for _, m := range mentions.FindAllStringSubmatch(read(t, f), -1) {
				if !slices.Contains(targets, m[1]) {
					t.Errorf("%s speaks of make %s; there are %v: slices.Contains(targets, m[1]) = false, want true", f, m[1], targets)
				}
			}
		}
	}
}

// longPackages is the list of the Makefile.
var longPackages = regexp.MustCompile(`(?m)^LONG := (.*)$`)

func TestMakeTestRunsEveryLongForm(t *testing.T) {
	t.Parallel()
	var want []string
	eachLine(t, func(file string, _ int, line string) {
		p := "./" + filepath.ToSlash(filepath.Dir(file))
		if strings.HasSuffix(file, "_test.go") && strings.Contains(line, "if testing"+".Short()") && !slices.Contains(want, p) &&
			p != "./e2e/console" { // another module: make test-console runs its long form
			want = append(want, p)
		}
	})
	slices.Sort(want)
	got := strings.Fields(longPackages.FindStringSubmatch(read(t, "../../Makefile"))[1])
	if !slices.Equal(got, want) {
		t.Errorf("LONG of the Makefile: got %v, want the packages whose tests ask for -short, %v", got, want)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
