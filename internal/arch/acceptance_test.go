// File acceptance_test.go holds that docs/acceptance.md and the tests that refer to its
// rows agree.

package arch

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const acceptance = "docs/acceptance.md"

var (
	// acceptanceRow is a row of the table, by its id.
	acceptanceRow = regexp.MustCompile(`(?m)^\| ([MDRZO]\d+) \|.*$`)
	// acceptanceID is an id as a test's name, a test case or a comment has it. Ids with an I
	// are invariants of a document outside of the repository, which has docs/guarantees.md.
	acceptanceID = regexp.MustCompile(`^(?:Test)?([IMDRZO][1-9]\d?)$`)
	quoted       = regexp.MustCompile("`([^`]+)`")
	betweenWords = regexp.MustCompile(`[^A-Za-z0-9]+`)
)

func TestEveryAcceptanceRowNamesItsTest(t *testing.T) {
	t.Parallel()
	rows := acceptanceRows(t)
	for id, row := range rows {
		if !namedTest.MatchString(row) {
			t.Errorf("%s: row %s names no test, want one", acceptance, id)
		}
	}
	for name := range strings.FieldsSeq(testFuncs(t, filepath.Join("..", ".."))) {
		for _, id := range acceptanceIDs(name) {
			if !strings.Contains(rows[id], "`"+name+"`") {
				t.Errorf("%s: row %s does not name %s, which has its id: rows[id] = %q, want %q in it", acceptance, id, name, rows[id], "`"+name+"`")
			}
		}
	}
}

func TestEveryAcceptanceTestIsWhereItsRowSays(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	tests := testsOfPackages(t, root)
	for line := range strings.Lines(readPage(t, filepath.Join(root, acceptance))) {
		in := "e2e" // until the row names a package
		for _, m := range quoted.FindAllStringSubmatch(line, -1) {
			switch {
			case strings.HasPrefix(m[1], "pkg/"):
				in = m[1]
			case strings.HasPrefix(m[1], "Test") && !slices.Contains(tests[in], m[1]):
				t.Errorf("%s: got no %s in %s, want it there", acceptance, m[1], in)
			}
		}
	}
}

func TestEveryAcceptanceIDInCodeHasItsRow(t *testing.T) {
	t.Parallel()
	rows := acceptanceRows(t)
	eachLine(t, func(file string, n int, line string) {
		if filepath.Ext(file) != ".go" {
			return
		}
		for _, id := range acceptanceIDs(line) {
			if rows[id] == "" {
				t.Errorf("%s:%d refers to %s, want an id of %s", file, n, id, acceptance)
			}
		}
	})
}

// acceptanceRows are the rows of the page by their ids, each of which is there once.
func acceptanceRows(t *testing.T) map[string]string {
	t.Helper()
	rows := map[string]string{}
	for _, m := range acceptanceRow.FindAllStringSubmatch(readPage(t, filepath.Join("..", "..", acceptance)), -1) {
		if rows[m[1]] != "" {
			t.Errorf("%s: got row %s twice, want it once", acceptance, m[1])
		}
		rows[m[1]] = m[0]
	}
	return rows
}

// acceptanceIDs are the ids in a line or a name.
func acceptanceIDs(line string) (ids []string) {
	for _, word := range betweenWords.Split(line, -1) {
		if m := acceptanceID.FindStringSubmatch(word); m != nil {
			ids = append(ids, m[1])
		}
	}
	return ids
}
