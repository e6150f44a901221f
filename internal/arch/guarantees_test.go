// File guarantees_test.go holds that each promise of docs/guarantees.md names a test that exists
// and a target of the Makefile.

package arch

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// promiseRow is a row of the table of promises: promise, test, command and figure.
var promiseRow = regexp.MustCompile("(?m)^\\| ([^|]+) \\| (`(?:Test|Fuzz)[^|]+) \\| ([^|]+) \\| ([^|]+) \\|$")

func TestEveryPromiseNamesItsTestAndCommand(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	makefile, funcs := readPage(t, filepath.Join(root, "Makefile")), strings.Fields(testFuncs(t, root))
	rows := promiseRow.FindAllStringSubmatch(promiseTable(t, readPage(t, filepath.Join(root, "docs/guarantees.md"))), -1)
	if len(rows) < 10 {
		t.Fatalf("rows of promises: got %d, want at least 10", len(rows))
	}
	for _, row := range rows {
		for _, name := range namedTest.FindAllString(row[2], -1) {
			if !slices.Contains(funcs, name) {
				t.Errorf("%s: got the test %s, want one that exists", row[1], name)
			}
		}
		target, ok := strings.CutPrefix(strings.Trim(row[3], "`"), "make ")
		if !ok || !strings.Contains(makefile, "\n"+target+": ") {
			t.Errorf("%s: got the command %s, want a target of the Makefile", row[1], row[3])
		}
		if strings.TrimSpace(row[4]) == "" {
			t.Errorf("%s: got no figure, want one or what is known", row[1])
		}
	}
}

// promiseTable is the part of the page with the table, each row of which has to be one of promiseRow.
func promiseTable(t *testing.T, page string) string {
	t.Helper()
	_, table, ok := strings.Cut(page, "| promise | test | command | last figure |\n|---|---|---|---|\n")
	if !ok {
		t.Fatal("docs/guarantees.md: got no table of promises, want one")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	for row := range strings.Lines(table) {
		if !promiseRow.MatchString(strings.TrimSuffix(row, "\n")) {
			t.Errorf("got the row %q, want promise, test, command and figure", row)
		}
	}
	return table
}
