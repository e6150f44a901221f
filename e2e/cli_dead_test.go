package e2e

// The dead set from the shell: looking, and acting on letters by their ids.

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

// givingUp makes a stand whose functions fail for good, and a worker of it.
func givingUp(t *testing.T, settings ...string) (*stand, *worker) {
	t.Helper()
	s := newStand(t, append([]string{"max_retry_attempts=0"}, settings...)...)
	s.gateway.tell(always(status(500)))
	return s, s.worker()
}

func TestCLI_ListingsAreLinesForScripts(t *testing.T) {
	t.Parallel()
	s, w := givingUp(t)
	all := s.bury(w, "fn1", "a", "b", "c")
	s.bury(w, "fn2", "d")
	got := w.cli(t, "dead", "ls").want(t, 0)
	switch {
	case len(got.lines()) != 4:
		t.Fatalf("the lines are %q, beside them %q, want 4 lines", got.lines(), got.stderr)
	case got.stderr != "":
		t.Fatalf("the lines are %q, beside them %q, want stderr empty", got.lines(), got.stderr)
	}
	columns := strings.Split(got.lines()[0], "\t")
	letter := w.deadSet(t)[0]
	want := []string{letter.ID, "fn1", "attempts_exhausted", "500", letter.DiedAt.Format(time.RFC3339Nano), defaultQueue, "0", "0", id(all[0])}
	if !slices.Equal(columns, want) {
		t.Errorf("the first line is %q, want %v", columns, want)
	}
	if strings.Contains(got.stdout, "\x1b") {
		t.Errorf(`there are colours in %q, want no "\x1b" in it`, got.stdout)
	}
	got = w.cli(t, "dead", "ls", "--function", "fn1", "--limit", "2").want(t, 0, "there are more than these 2")
	switch {
	case len(got.lines()) != 2:
		t.Errorf("the lines are %q, want 2 lines", got.lines())
	case strings.Contains(got.stdout, "more"):
		t.Errorf(`the lines are %q, want no "more" in stdout`, got.lines())
	}
	if got = w.cli(t, "dead", "ls", "--status", "4xx").want(t, 0, "no such dead letter"); got.stdout != "" {
		t.Errorf("nothing is written as %q, want empty", got.stdout)
	}
	switch got = w.cli(t, "dead", "groups").want(t, 0); {
	case len(got.lines()) != 2:
		t.Errorf("the groups are %q, want 2 lines", got.lines())
	case !strings.HasPrefix(got.lines()[0], "3\t"):
		t.Errorf(`the groups are %q, want "3\t" at its beginning`, got.lines())
	}
	w.cli(t, "dead", "ls", "--function", "").want(t, 2, "--function has no value")
	w.cli(t, "dead", "ls", "--reason", "nonsense").want(t, 2, "attempts_exhausted")
	w.cli(t, "dead", "ls", "--limit", "0").want(t, 2, "--limit")
	w.cli(t, "dead", "ls", "-o", "yaml").want(t, 2, "table or json")
}

func TestCLI_ADeadLetterShowsItsAnswer(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	s.gateway.tell(always(answer{Status: 422, Body: "no such CANARY\x1b[2J", Header: http.Header{"Content-Type": {"text/plain"}}}))
	w := s.worker()
	s.bury(w, "fn1", "a")
	letter := w.deadSet(t)[0]
	w.cli(t, "dead", "show", letter.ID, "-o", "json").want(t, 0, `"answer"`, "no such CANARY", "422")
	got := w.cli(t, "dead", "show", letter.ID).want(t, 0)
	if !slices.Contains(got.lines(), "answer\t422") {
		t.Errorf("got %q, want the line of the answer", got.lines())
	}
	for name, out := range map[string]string{"the listing": w.cli(t, "dead", "ls", "-o", "json").stdout, "the log": w.out.String()} {
		if strings.Contains(out, "CANARY") {
			t.Errorf("%s has the answer, want it nowhere: %s", name, out)
		}
	}
}

func TestCLI_JSONIsWhatTheAPIAnswers(t *testing.T) {
	t.Parallel()
	s, w := givingUp(t)
	s.bury(w, "fn1", "a", "b", "c")
	letter := w.deadSet(t)[0]
	for _, tt := range []struct {
		path string
		args []string
	}{
		{"/v1/dead_set?limit=50", []string{"dead", "ls"}},
		{"/v1/dead_set?limit=50&since=1h&status=5xx&reason=attempts_exhausted&function=fn1", []string{"dead", "ls", "--since", "1h", "--status", "5xx", "--reason", "attempts_exhausted", "--function", "fn1"}},
		{"/v1/dead_set/groups", []string{"dead", "groups"}},
		{"/v1/dead_set/" + letter.ID, []string{"dead", "show", letter.ID}},
		{"/v1/dead_set/" + letter.ID + "?body=true", []string{"dead", "show", letter.ID, "--body"}},
		{"/v1/jobs?limit=50", []string{"job", "ls"}},
	} {
		code, body := w.ask(t, http.MethodGet, tt.path)
		if code != http.StatusOK {
			t.Fatalf("%s answers %d %s, want %d", tt.path, code, body, http.StatusOK)
		}
		if got := w.cli(t, append(tt.args, "-o", "json")...).want(t, 0); got.stdout != body {
			t.Errorf("%q writes\n%s\nthe API answers\n%s, want %v", tt.args, got.stdout, body, body)
		}
	}
	if got := w.cli(t, "dead", "ls", "--limit", "2", "-o", "json").want(t, 0, "there are more"); !json.Valid([]byte(got.stdout)) {
		t.Errorf("got %q, want valid JSON", got.stdout)
	}
}

func TestCLI_OneLetter(t *testing.T) {
	t.Parallel()
	s, w := givingUp(t)
	body := "\x00\x1b[2J not text \xff\r\n"
	m := call("fn1", body, with("Authorization", "Bearer hunter2"), with("X-Order", "7"))
	s.broker.publish(t, m)
	w.next(t, m, "dead")
	letter := w.deadSet(t).only(t)
	got := w.cli(t, "dead", "show", letter.ID).want(t, 0, "reason\tattempts_exhausted\n", "header\tX-Order: 7\n")
	if strings.Contains(got.stdout, "hunter2") {
		t.Errorf(`it shows a secret: %s, want no "hunter2" in it`, got.stdout)
	}
	if got = w.cli(t, "dead", "show", letter.ID, "--body").want(t, 0); got.stdout != body {
		t.Errorf("the body is %q, want %v", got.stdout, body)
	}
	w.cli(t, "dead", "show", "nonsense").want(t, 2, "not an invocation id")
	w.cli(t, "dead", "show", "0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7").want(t, 1, "no dead letter has this id")
}

func TestCLI_AReplayByIdSaysWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	s, w := givingUp(t)
	s.bury(w, "fn1", "a", "b")
	l := w.deadSet(t)
	w.cli(t, "dead", "replay", l[0].ID).want(t, 3, "replayed 1, succeeded 0, failed again 1, pending 0", "1 of 1 have not succeeded")
	w.cli(t, "dead", "replay", l[0].ID, "--detach").want(t, 0, "not observed")
	release := make(chan struct{})
	s.gateway.tell(always(answer{Until: release}))
	w.cli(t, "dead", "replay", l[1].ID, "--observe", "50ms").want(t, 3, "failed again 0, pending 1")
	close(release)
}

func TestCLI_LettersByTheirIds(t *testing.T) {
	t.Parallel()
	s, w := givingUp(t)
	s.bury(w, "fn1", "a", "b", "c", "d")
	s.gateway.tell(always(status(200)))
	l := w.deadSet(t)
	const unknown = "0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7"
	w.cli(t, "dead", "replay", l[0].ID).want(t, 0, "replayed "+l[0].ID, "replayed 1, succeeded 1, failed again 0, pending 0")
	w.cli(t, "dead", "drop", l[1].ID, "-o", "json").want(t, 0, `{"id":"`+l[1].ID+`","state":"dropped"}`)
	w.cli(t, "dead", "drop", l[1].ID).want(t, 1, "no dead letter has this id")
	w.cli(t, "dead", "replay", unknown, l[2].ID, l[3].ID).want(t, 3, "no dead letter has this id", "replayed "+l[2].ID, "replayed "+l[3].ID, "replayed 2, succeeded 2,", "2 of 3")
	s.gateway.await(t, 4+3)
	if left := w.deadSet(t); len(left) != 0 {
		t.Errorf("there are %d letters left, want 0 left", len(left))
	}
	for name, args := range map[string][]string{
		"neither ids nor a filter": {"dead", "replay"},
		"both":                     {"dead", "drop", unknown, "--function", "fn1"},
		"everything, and a filter": {"dead", "drop", "--all", "--function", "fn1", "--yes"},
		"an empty id":              {"dead", "drop", ""},
		"an empty filter":          {"dead", "drop", "--function", "", "--yes"},
	} {
		if got := w.cli(t, args...); got.code != 2 {
			t.Errorf("%s: exit code %d: %s, want 2", name, got.code, got.stderr)
		}
	}
}

func TestCLI_ExportAndImportAreARoundTrip(t *testing.T) {
	t.Parallel()
	s, w := givingUp(t)
	s.bury(w, "fn1", "a", "b", "c")
	dir := t.TempDir()
	file, again := filepath.Join(dir, "letters"), filepath.Join(dir, "again")
	w.cli(t, "dead", "export", "--file", file).want(t, 0, "3 dead letters")
	w.cli(t, "dead", "export", "--file", file).want(t, 1, "letters exists")
	w.cli(t, "dead", "import", file).want(t, 0, "0 imported, 3 there already, 0 failed")
	w.cli(t, "dead", "drop", "--all", "--yes").want(t, 0, "drop done: 3 of 3 done")
	exported := read(t, file)
	command(t, exported+"{nonsense\n", []string{"QUEUE_WORKER_SERVER=" + w.base}, "dead", "import").
		want(t, 3, "3 imported, 0 there already, 1 failed", "line 4: ", "1 lines could not be imported")
	w.cli(t, "dead", "export", "--file", again).want(t, 0)
	if got := read(t, again); got != exported {
		t.Errorf("exported again they are\n%s\nbefore\n%s, want %v", got, exported, exported)
	}
	got := w.cli(t, "dead", "export", "--function", "fn2").want(t, 0, "0 dead letters")
	if got.stdout != "" {
		t.Errorf("none are written as %q, want empty", got.stdout)
	}
	w.cli(t, "dead", "import", filepath.Join(dir, "none")).want(t, 1, "none")
	w.cli(t, "dead", "import", again, "-o", "json").want(t, 0, `"skipped":3`)
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A caller chooses call ids, paths and bodies.
func TestCLI_NothingOfACallersMovesTheCursor(t *testing.T) {
	t.Parallel()
	s, w := givingUp(t)
	m := call("fn1", "body \x1b[2J", with("X-Call-Id", "evil\x1b[2J\u202e"), with("X-Evil", "\u202eback"))
	s.broker.publish(t, m)
	testkit.Eventually(t, "the letter", func() bool { return len(w.deadSet(t)) == 1 })
	l := w.deadSet(t).only(t)
	for _, args := range [][]string{{"dead", "ls"}, {"dead", "show", l.ID}, {"dead", "show", l.ID, "--body"}, {"dead", "ls", "-o", "json"}, {"dead", "export"}} {
		screen := w.person(t, args...).want(0)
		switch {
		case strings.Contains(screen, "\x1b[2J"):
			t.Errorf(`%q writes to a terminal %q, want no "\x1b[2J" in it`, args, screen)
		case strings.Contains(screen, "\u202e"):
			t.Errorf(`%q writes to a terminal %q, want no "\u202e" in it`, args, screen)
		}
	}
	p := w.person(t, "dead", "import")
	p.answers("reading dead letters from the terminal", "\x03") // Ctrl-C
	p.want(1, "interrupted")
	if got := w.cli(t, "dead", "ls").want(t, 0, `evil\x1b[2J\u202e`); len(got.lines()) != 1 {
		t.Errorf("the lines are %q, want 1 line", got.lines())
	}
}
