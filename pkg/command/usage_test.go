package command

import (
	"context"
	"slices"
	"strings"
	"testing"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/invocation"
)

// functionsOf is a gateway that has some functions, and is sure of it unless it is away.
type functionsOf struct {
	names []string
	away  bool
}

func (f functionsOf) Known(_ context.Context, name string) (known, sure bool) {
	return f.away || slices.Contains(f.names, name), !f.away
}

func (f functionsOf) Names(context.Context) []string {
	if f.away {
		return nil
	}
	return f.names
}

// worker is a surface with three dead letters of figlet, two of which share a call id, and a gateway.
func worker(t *testing.T, g functionsOf) (environ []string) {
	t.Helper()
	r := apitest.New(t, func(o *apitest.Options) { o.Admin.Functions = g })
	for n, callID := range []string{"call-1", "call-2", "call-2"} {
		inv := apitest.DeadAt(n)
		inv.CallID = callID
		r.Put(t, inv, []byte(`{"Function":"figlet"}`))
	}
	return []string{envServer + "=" + r.Base}
}

var figlet = functionsOf{names: []string{"figlet", "env"}}

func TestACommandLineSaysWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	id := func(n int) string { return apitest.IDOf(n).String() }
	tests := []struct {
		name           string
		line           string
		code           int
		stdout, stderr string // parts of them
	}{
		{"a max-age of 0", "send figlet --max-age 0", exitUsage, "", "--max-age: expected a duration above 0"},
		{"a delay below 0", "send figlet --delay=-5s", exitUsage, "", `--delay "-5s": expected a duration that is not below 0`},
		{"a delay of words", "send figlet --delay soon", exitUsage, "", `--delay "soon": expected a duration such as 90s, 5m, 1h30m or 7d, or a number of seconds`},
		{"a delay that is too long", "send figlet --delay 367d", exitUsage, "", "--delay is not a duration in its range"},
		{"a max-age before the delay", "send figlet --delay 1d --max-age 1h", exitUsage, "", "--max-age ends before the first call"},
		{"two delays", "send figlet --delay 10 --not-before 2999-01-01T00:00:00Z", exitUsage, "", "--not-before is not a time in its range"},
		{"no time for an answer", "dead ls --request-timeout 0", exitUsage, "", "--request-timeout: expected a duration above 0"},
		{"a status in capitals", "dead ls --status 4XX", exitOK, "", "no such dead letter"},
		{"a class that does not exist", "dead ls --status 7xx", exitUsage, "", "--status is not a list of statuses"},
		{"since is no time", "dead ls --since yesterday", exitUsage, "", "--since is not a time"},
		{"a limit of words", "dead ls --limit all", exitUsage, "", `--limit "all": expected a whole number`},
		{"a share of words", "dead replay --all --max-failed-share x", exitUsage, "", `--max-failed-share "x": expected a number`},
		{"a switch of words", "dead replay --all --canary=maybe", exitUsage, "", `--canary "maybe": expected true or false`},
		{"a list of quotes", `dead ls --reason a"b`, exitUsage, "", `--reason "a\"b": expected values separated by commas`},
		{"a mistyped flag", "dead ls --functoin figlet", exitUsage, "", "unknown flag: --functoin, did you mean --function?"},
		{"a mistyped command", "dead lst", exitUsage, "", "unknown command lst, did you mean ls?; see 'queue-worker dead --help'"},
		{"the beginning of a command", "inv", exitOK, "Available Commands", ""},
		{"a mistyped group", "functoins", exitUsage, "", "did you mean function?"},
		{"the version as a flag", "--version", exitOK, "test\n", ""},
		{"newest first", "dead ls --newest --limit 1", exitOK, id(2), "more than these 1"},
		{"newest first by order", "dead ls --newest --order newest --limit 1", exitOK, id(2), ""},
		{"newest and oldest first", "dead ls --newest --order oldest", exitUsage, "", "exclude each other"},
		{"a function without dead letters is replayed", "dead replay --function fglet --yes", exitFailed, "", "queue-worker: no dead letters match"},
		{"a function without dead letters is dropped", "dead drop --function fglet --yes", exitFailed, "", "queue-worker: no dead letters match"},
		{"a function without dead letters is looked at", "dead drop --function fglet --dry-run", exitFailed, "", "queue-worker: no dead letters match"},
		{"a mistyped function needs no --yes", "dead replay --function fglet", exitFailed, "", "queue-worker: no dead letters match"},
		{"a purge of nothing needs no --yes", "function purge fglet", exitFailed, "", "queue-worker: no pending invocations match"},
		{"what matches needs --yes", "dead drop --all", exitUsage, "", "pass --yes to proceed"},
		{"an age without a unit", "dead drop --until 7 --yes", exitUsage, "", "--until is not a time"},
		{"the unit of an age", "dead ls --since 7", exitUsage, "", "2h or 7d"},
		{"a function without invocations is purged", "function purge fglet --yes", exitFailed, "", "queue-worker: no pending invocations match"},
		{"a function that does not exist is paused", "function pause fglet", exitFailed, "", "no such function; did you mean figlet?\n"},
		{"how to pause it nevertheless", "function pause fglet", exitFailed, "", "with --force"},
		{"it is paused nevertheless", "function pause fglet --force", exitOK, "fglet", ""},
		{"a function without invocations is paused", "function pause env", exitOK, "env", ""},
		{"a function is paused for a number of seconds", "function pause figlet --for 90", exitOK, "figlet", ""},
		{"a dead letter by its id", "dead show " + id(0), exitOK, "call-1", ""},
		{"a dead letter by its call id", "dead show call-1", exitOK, id(0), ""},
		{"dead letters by their call id", "dead show call-2", exitFailed, "", "2 dead letters have the call id call-2: " + id(1) + ", " + id(2)},
		{"a call id that none has", "dead show call-3", exitUsage, "", "not an invocation id"},
		{"a replay by call id", "dead replay call-1 --detach", exitOK, "replayed " + id(0), "not observed"},
		{"a replay by id is observed", "dead replay call-1 --observe 1ms", exitPartly, "replayed 1, succeeded 0, failed again 0, pending 1", "1 of 1 have not succeeded"},
		{"a drop by call id", "dead drop call-1", exitOK, "dropped " + id(0), ""},
		{"a drop of several by their call id", "dead drop call-2", exitFailed, "", id(2)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := with(worker(t, figlet), strings.Fields(tt.line)...)
			if got.code != tt.code {
				t.Errorf("exit code %d, want %d", got.code, tt.code)
			}
			if !strings.Contains(got.stdout, tt.stdout) {
				t.Errorf("standard output is %q, want %q in it", got.stdout, tt.stdout)
			}
			if !strings.Contains(got.stderr, tt.stderr) {
				t.Errorf("standard error is %q, want %q in it", got.stderr, tt.stderr)
			}
			for _, raw := range []string{"strconv", "parsing \"", "X-"} {
				if strings.Contains(got.stderr, raw) {
					t.Errorf("standard error is %q, want no %q in it", got.stderr, raw)
				}
			}
		})
	}
}

func TestAPauseWithoutTheGatewayIsAWarning(t *testing.T) {
	t.Parallel()
	got := with(worker(t, functionsOf{away: true}), "function", "pause", "fglet")
	if got.code != exitOK {
		t.Errorf("exit code %d, want %d", got.code, exitOK)
	}
	if want := "warning: The gateway cannot tell whether this function exists"; !strings.Contains(got.stderr, want) {
		t.Errorf("standard error is %q, want %q in it", got.stderr, want)
	}
}

func TestAnEmptyDeadSetIsNoTypingError(t *testing.T) {
	t.Parallel()
	environ := worker(t, figlet)
	for range 2 {
		if got := with(environ, "dead", "drop", "--all", "--yes"); got.code != exitOK {
			t.Errorf("exit code %d %s, want %d", got.code, got.stderr, exitOK)
		}
	}
}

func TestCompletionKnowsValuesAndNames(t *testing.T) {
	t.Parallel()
	environ := worker(t, figlet)
	for line, want := range map[string]string{
		"dead ls --order ":                        "newest",
		"dead ls --status ":                       "5xx",
		"dead ls --reason at":                     string(invocation.AttemptsExhausted),
		"dead ls --output ":                       "json",
		"dead ls --function f":                    "figlet",
		"dead ls --queue ":                        "faas-request",
		"dead show ":                              apitest.IDOf(2).String(),
		"invocation ls --state ":                  "delayed",
		"invocation ls --function fi":             "figlet",
		"function pause ":                         "figlet",
		"function purge figlet --state ":          "ready",
		"policy show fig":                         "figlet",
		"send ":                                   "figlet",
		"job status --server http://127.0.0.1:1 ": "",
	} {
		args := append([]string{"__complete"}, strings.Split(line, " ")...)
		got := with(environ, args...)
		if got.code != exitOK {
			t.Errorf("%q: exit code %d, want %d", line, got.code, exitOK)
		}
		if lines := strings.Split(got.stdout, "\n"); want != "" && !slices.Contains(lines, want) {
			t.Errorf("%q is completed with %q, want %q", line, lines, want)
		}
		if !strings.Contains(got.stdout, ":4\n") { // no files
			t.Errorf("%q is completed with files: %q", line, got.stdout)
		}
	}
}
