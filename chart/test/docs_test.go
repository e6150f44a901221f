package chart

// What the documents tell people to type is there.

import (
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/strvals"
)

var typed = regexp.MustCompile("(?m)(?:^|`)(?:qw|queue-worker) ((?:[a-z]+ ?)+)")

func TestCommandsOfTheRunbookExist(t *testing.T) {
	t.Parallel()
	commands := read(t, "../../docs/cli.md")
	found := typed.FindAllStringSubmatch(read(t, "../../docs/runbook.md"), -1)
	if len(found) < 10 {
		t.Fatalf("%d commands found in docs/runbook.md, want at least 10", len(found))
	}
	for _, m := range found {
		if name := "queue-worker " + strings.TrimSpace(m[1]); !strings.Contains(commands, "# "+name) {
			t.Errorf("docs/cli.md has no command %q, want %q in it", name, "# "+name)
		}
	}
}

// TestTheRunbookKnowsEveryReason reads the reasons from the list of metrics that
// pkg/worker holds the program to.
func TestTheRunbookKnowsEveryReason(t *testing.T) {
	t.Parallel()
	_, metric, _ := strings.Cut(read(t, "../../pkg/worker/testdata/metrics-at-start.txt"), "queue_worker_dead_letters_total counter\n")
	runbook := read(t, "../../docs/runbook.md")
	n := 0
	for line := range strings.Lines(metric) {
		reason, is := strings.CutPrefix(strings.TrimSpace(line), "function_name=_url reason=")
		if !is {
			break
		}
		n++
		if !strings.Contains(runbook, "\n| `"+reason+"` | ") {
			t.Errorf("docs/runbook.md does not explain the reason %s, want %q in it", reason, "\n| `"+reason+"` | ")
		}
	}
	if n < 5 {
		t.Errorf("%d reasons found, want at least 5", n)
	}
}

var (
	helmCommand = regexp.MustCompile(`(?m)^helm (?:install|upgrade) (\S+) (chart/queue-worker|openfaas/openfaas) (.*)$`)
	helmFlag    = regexp.MustCompile(`(?:^| )(-n|--set|--set-string) (\S+)`)
)

// TestHelmCommandsOfTheDocumentsRender renders the chart with every command that
// a document shows for it.
func TestHelmCommandsOfTheDocumentsRender(t *testing.T) {
	t.Parallel()
	n := 0
	for _, doc := range []string{"../../docs/install.md", "../../README.md"} {
		text := strings.ReplaceAll(read(t, doc), "\\\n", " ")
		for _, m := range helmCommand.FindAllStringSubmatch(text, -1) {
			if m[2] != "chart/queue-worker" {
				continue
			}
			n++
			if _, err := renderFlags(t, m[3]); err != nil {
				t.Errorf("%s: %s, want nil\n%v", doc, m[0], err)
			}
		}
	}
	if n < 6 {
		t.Errorf("%d commands found, want at least 6", n)
	}
}

// renderFlags renders with the flags of a command.
func renderFlags(t *testing.T, flags string) (map[string]string, error) {
	t.Helper()
	given := map[string]any{}
	namespace := ""
	for _, f := range helmFlag.FindAllStringSubmatch(flags, -1) {
		var err error
		switch f[1] {
		case "-n":
			namespace = f[2]
		case "--set":
			err = strvals.ParseInto(f[2], given)
		case "--set-string":
			err = strvals.ParseIntoString(f[2], given)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c := load(t)
	all, err := chartutil.ToRenderValues(c, given, chartutil.ReleaseOptions{Name: "queue-worker", Namespace: namespace}, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}
