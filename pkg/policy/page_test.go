package policy

// docs/policy.md must not fall behind the code.

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var row = regexp.MustCompile("(?m)^\\| `([a-zA-Z][a-zA-Z_.-]*)` \\|(.*)$")

func TestThePageHasEveryAnnotationAndFieldWithItsBounds(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		if rows[m[1]] != "" {
			t.Errorf("%s has two rows: rows[m[1]] = %q, want \"\"", m[1], rows[m[1]])
		}
		rows[m[1]] = m[2]
	}
	for _, f := range Forms() {
		text := rows[f.Key]
		if text == "" {
			t.Errorf("%s has no row: text = %q, want not \"\"", f.Key, text)
		}
		if _, bounds, ok := strings.Cut(f.Expected, "from "); ok {
			bounds, _, _ = strings.Cut(bounds, ",")
			if !strings.Contains(text, "| "+bounds+" |") {
				t.Errorf("%s is from %s, its row says %s, want %q in it", f.Key, bounds, text, "| "+bounds+" |")
			}
		}
		delete(rows, f.Key)
	}
	for _, field := range []string{HeaderRetryLimit, HeaderMaxAge, HeaderTimeout} {
		if rows[field] == "" {
			t.Errorf("%s has no row: rows[field] = %q, want not \"\"", field, rows[field])
		}
		delete(rows, field)
	}
	for key := range rows {
		t.Errorf("the page has %s, which is nothing", key)
	}
}
