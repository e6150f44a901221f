package command

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"queue-worker/pkg/config"
)

// ran is how a command ended.
type ran struct {
	code           int
	stdout, stderr string
}

// with runs a command line in an environment, without a terminal.
func with(environ []string, args ...string) ran {
	var out, errs bytes.Buffer
	code := Run(context.Background(), context.Background(), args, Process{
		Version: "test", Environ: environ, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
	})
	return ran{code, out.String(), errs.String()}
}

func TestConfigShowsWhatIsInForce(t *testing.T) {
	t.Parallel()
	got := with([]string{"max_inflight=7", "scaling_mode=x"}, "config")
	for _, want := range []string{"max_inflight\t7\tenvironment\t50\n", "backoff\texponential\tdefault\texponential\n", "gateway_url\thttp://gateway:8080\tother settings\tnot set\n"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in %s, want it", want, got.stdout)
		}
	}
	switch {
	case got.code != exitOK:
		t.Errorf("code %d, %s, want code %v", got.code, got.stderr, exitOK)
	case !strings.Contains(got.stderr, "ignored: scaling_mode"):
		t.Errorf(`code %d, %s, want "ignored: scaling_mode" in it`, got.code, got.stderr)
	case !strings.Contains(got.stderr, "warning: data_dir is not set"):
		t.Errorf(`code %d, %s, want "warning: data_dir is not set" in it`, got.code, got.stderr)
	}
	got = with([]string{"max_inflight=0", "gateway_url=http://me:hunter2@gw"}, "config", "-o", "json")
	var o config.Overview
	switch err := json.Unmarshal([]byte(got.stdout), &o); {
	case err != nil:
		t.Errorf("code %d, %v: %s, want no error", got.code, err, got.stdout)
	case got.code != exitFailed:
		t.Errorf("code %d, %v: %s, want code %v", got.code, err, got.stdout, exitFailed)
	case len(o.Problems) != 2:
		t.Errorf("code %d, %v: %s: got %v, want 2 problems", got.code, err, got.stdout, len(o.Problems))
	}
	if strings.Contains(got.stdout+got.stderr, "hunter2") {
		t.Errorf(`a password is shown: %s, want no "hunter2" in it`, got.stdout)
	}
	if got = with([]string{"max_inflight=0"}, "config"); !strings.Contains(got.stderr, "wrong: max_inflight=\"0\": expected a whole number") {
		t.Errorf(`stderr is %s, want wrong: max_inflight="0": expected a whole number in it`, got.stderr)
	}
}

func TestCompletionIsForFourShells(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		switch got := with(nil, "completion", shell); {
		case got.code != exitOK:
			t.Errorf("%s: code %d, %.80q, want code %v", shell, got.code, got.stdout, exitOK)
		case !strings.Contains(got.stdout, "queue-worker"):
			t.Errorf(`%s: code %d, %.80q, want "queue-worker" in it`, shell, got.code, got.stdout)
		}
	}
	if got := with(nil, "completion", "csh"); got.code != exitUsage {
		t.Errorf("another shell: code %d, want %v", got.code, exitUsage)
	}
	if got := with(nil, "__complete", "dead", ""); !strings.Contains(got.stdout, "replay\tReplay dead letters") {
		t.Errorf(`after dead come %s, want "replay\tReplay dead letters" in it`, got.stdout)
	}
}

func TestWrongUsageIsTwoAndAsksNobody(t *testing.T) {
	t.Parallel()
	environ := []string{envServer + "=http://127.0.0.1:1"} // the connection is refused, exit code 1
	for _, line := range []string{
		"dead ls x", "dead show", "dead show a b", "dead replay --all --limit 0 --yes", "dead replay --all --rate 0 --yes", "dead replay --all --rate fast",
		"dead drop --all --canary --yes", "dead ls --header nonsense", "dead ls --server ftp://x", "dead ls --server http://u:p@x", "dead import a b",
		"replay status", "replay pause", "invocation get", "invocation wait", "invocation cancel", "invocation ls x", "invocation ls --limit 0",
		"function pause", "function pause a --for", "function purge a --queue=", "policy show", "send", "send /path", "send fn --timeout 1s", "send fn -H nonsense",
		"send fn --not-before tomorrow", "send fn --idempotency-key=", "send fn --delay soon", "doctor x", "config x", "config -o yaml", "version x", "nonsense",
		"dead nonsense", "dead ls -o yaml",
	} {
		switch got := with(environ, strings.Fields(line)...); {
		case got.code != exitUsage:
			t.Errorf("%s: code %d, %q, %q, want code %v", line, got.code, got.stdout, got.stderr, exitUsage)
		case got.stdout != "":
			t.Errorf("%s: code %d, %q, %q, want stdout empty", line, got.code, got.stdout, got.stderr)
		}
	}
	for _, line := range []string{"dead", "job", "replay", "invocation", "function", "policy"} {
		switch got := with(environ, line); {
		case got.code != exitOK:
			t.Errorf("%s alone: code %d, %q, want code %v", line, got.code, got.stdout, exitOK)
		case !strings.Contains(got.stdout, "Available Commands"):
			t.Errorf(`%s alone: code %d, %q, want "Available Commands" in it`, line, got.code, got.stdout)
		}
	}
	switch got := with(environ, "dead", "ls"); {
	case got.code != exitFailed:
		t.Errorf("no worker there: code %d, %q, want code %v", got.code, got.stderr, exitFailed)
	case strings.Count(got.stderr, "\n") != 2:
		t.Errorf(`no worker there: code %d, %q, want 2 of "\n"`, got.code, got.stderr)
	}
}
