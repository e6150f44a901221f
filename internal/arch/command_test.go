// File command_test.go holds that the commands which pages print run the tests that they
// name: the command follows a test that moves to another package.

package arch

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goTest is a command up to the pattern of its -run.
var goTest = regexp.MustCompile("go test ([^`\n]*)-run '?([^`' \n]+)'?")

func TestEveryCommandOfAPageRunsItsTests(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	tests := testsOfPackages(t, root)
	for _, page := range []string{acceptance, "docs/track-record.md", "docs/guarantees.md", "CONTRIBUTING.md"} {
		for _, m := range goTest.FindAllStringSubmatch(readPage(t, filepath.Join(root, page)), -1) {
			checkCommand(t, page+": "+m[0], tests, packagesOf(m[1]), alternatives(m[2]))
		}
	}
}

// checkCommand reports a package of which no test runs, and a pattern that runs nothing.
func checkCommand(t *testing.T, command string, tests map[string][]string, packages, patterns []string) {
	t.Helper()
	runs := map[string]bool{}
	for _, p := range packages {
		for _, pattern := range patterns {
			if slices.ContainsFunc(tests[p], regexp.MustCompile(pattern).MatchString) {
				runs[p], runs[pattern] = true, true
			}
		}
	}
	for _, of := range slices.Concat(packages, patterns) {
		if len(packages) > 0 && len(patterns) > 0 && !runs[of] { // without packages it is a command of another module
			t.Errorf("%s: got no test of %s, want one", command, of)
		}
	}
}

// packagesOf are the packages in the words of a command.
func packagesOf(words string) (all []string) {
	for word := range strings.FieldsSeq(words) {
		if p, ok := strings.CutPrefix(word, "./"); ok {
			all = append(all, p)
		}
	}
	return all
}

// alternatives are the patterns of a -run, without those of subtests. In a table | has a
// backslash. A pattern of x alone is there to run benchmarks only.
func alternatives(pattern string) []string {
	pattern, _, _ = strings.Cut(strings.ReplaceAll(pattern, `\|`, "|"), "/")
	return slices.DeleteFunc(strings.Split(pattern, "|"), func(p string) bool { return strings.Trim(p, "x") == "" })
}

// testsOfPackages are the names of the tests of each package.
func testsOfPackages(t *testing.T, root string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		p, err := filepath.Rel(root, filepath.Dir(path))
		p = filepath.ToSlash(p)
		for _, m := range testFunc.FindAllStringSubmatch(readPage(t, path), -1) {
			all[p] = append(all[p], m[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
