// File record_test.go holds that the tests which pages name exist, so that none goes
// with the code that it held, and that their names are short.

package arch

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest = regexp.MustCompile(`\b(Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9_]+`)
	testFunc  = regexp.MustCompile(`(?m)^func ((Test|Fuzz|Benchmark)[A-Za-z0-9_]+)\(`)
)

func TestEveryTestThatAPageNamesIsThere(t *testing.T) {
	root := filepath.Join("..", "..")
	funcs := testFuncs(t, root)
	for _, page := range []string{
		acceptance, "docs/track-record.md", "docs/guarantees.md", "docs/operations.md", "docs/install.md",
		"README.md", "SECURITY.md", "CONTRIBUTING.md",
	} {
		b, err := os.ReadFile(filepath.Join(root, page)) // #nosec G304 -- a page of the repository
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range namedTest.FindAllString(string(b), -1) {
			if !strings.Contains(funcs, "\n"+name) { // -run takes the beginning of a name too
				t.Errorf("%s: got %s, which is no test, want the name of one", page, name)
			}
		}
	}
}

// maxTestName is how long the name of a test may be: a scenario of its own is a subtest.
const maxTestName = 59

func TestNamesOfTestsAreShort(t *testing.T) {
	for name := range strings.FieldsSeq(testFuncs(t, filepath.Join("..", ".."))) {
		if len(name) > maxTestName {
			t.Errorf("got %s with %d characters, want at most %d", name, len(name), maxTestName)
		}
	}
}

// testFuncs are the names of all tests, each behind a line break.
func testFuncs(t *testing.T, root string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path) // #nosec G304 G122 -- a file of the repository
		for _, m := range testFunc.FindAllStringSubmatch(string(b), -1) {
			all.WriteString("\n" + m[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
