package policy

// The annotations that documents show.

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	yamlBlock  = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")
	annotation = regexp.MustCompile(`(?m)^ +((?:com\.openfaas|queue-worker)\.[a-z_.]+): +(.+)$`)
)

func TestAnnotationsOfTheDocumentsMeanSomething(t *testing.T) {
	t.Parallel()
	n := 0
	for _, doc := range []string{"../../docs/functions.md", "../../docs/policy.md"} {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			all := map[string]string{}
			for _, m := range annotation.FindAllStringSubmatch(block[1], -1) {
				all[m[1]] = strings.Trim(m[2], `"`)
			}
			n += len(all)
			if _, problems := (Policy{}).With(all, Annotation); len(problems) > 0 {
				t.Errorf("%s: got problems %v, want none", doc, problems)
			}
		}
	}
	if n < 8 {
		t.Errorf("got %d annotations, want at least 8", n)
	}
}
