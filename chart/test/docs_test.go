package chart

// What the documents tell people to type is there.

import (
	"regexp"
	"strings"
	"testing"
)

var typed = regexp.MustCompile("(?m)(?:^|`)(?:qw|queue-worker) ((?:[a-z]+ ?)+)")

func TestCommandsOfTheRunbookExist(t *testing.T) {
	t.Parallel()
	commands := read(t, "../../docs/cli.md")
	found := typed.FindAllStringSubmatch(read(t, "../../docs/runbook.md"), -1)
	if len(found) < 10 {
		t.Fatalf("%d commands found in docs/runbook.md", len(found))
	}
	for _, m := range found {
		if name := "queue-worker " + strings.TrimSpace(m[1]); !strings.Contains(commands, "# "+name) {
			t.Errorf("docs/cli.md has no command %q", name)
		}
	}
}
