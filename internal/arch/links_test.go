// File links_test.go holds that every link between the pages of this repository leads
// to a file and a heading that exist.

package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile("(?m)^#+ (.+)$")
	dropped = regexp.MustCompile("[^a-z0-9 _-]")
)

func TestEveryLinkOfAPageLeadsSomewhere(t *testing.T) {
	root := filepath.Join("..", "..")
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md"} {
		pages, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			for _, m := range link.FindAllStringSubmatch(readPage(t, page), -1) {
				checkLink(t, page, m[1])
			}
		}
	}
}

func checkLink(t *testing.T, page, target string) {
	t.Helper()
	if strings.Contains(target, "://") {
		return
	}
	file, anchor, _ := strings.Cut(target, "#")
	to := page
	if file != "" {
		to = filepath.Join(filepath.Dir(page), file)
	}
	if _, err := os.Stat(to); err != nil {
		t.Errorf("%s: %s leads nowhere: got %v, want no error", page, target, err)
		return
	}
	if anchor != "" && !anchors(t, to)[anchor] {
		t.Errorf("%s: %s leads to no heading", page, target)
	}
}

// anchors are the headings of a page as links write them.
func anchors(t *testing.T, page string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(readPage(t, page), -1) {
		words := dropped.ReplaceAllString(strings.ToLower(m[1]), "")
		all[strings.ReplaceAll(words, " ", "-")] = true
	}
	return all
}

func readPage(t *testing.T, page string) string {
	t.Helper()
	b, err := os.ReadFile(page) // #nosec G304 -- a page of the repository
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
