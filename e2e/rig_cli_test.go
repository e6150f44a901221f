package e2e

// The command line: the same binary, asked about a worker.

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// said is how a command ended.
type said struct {
	code           int
	stdout, stderr string
}

// lines are what it wrote to standard output.
func (s said) lines() []string {
	if s.stdout == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s.stdout, "\n"), "\n")
}

// want fails the test unless the command ended with a code and wrote some texts,
// to either output.
func (s said) want(t testing.TB, code int, texts ...string) said {
	t.Helper()
	if s.code != code {
		t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", s.code, code, s.stdout, s.stderr)
	}
	for _, text := range texts {
		if !strings.Contains(s.stdout+s.stderr, text) {
			t.Errorf("no %q\nstdout: %s\nstderr: %s", text, s.stdout, s.stderr)
		}
	}
	return s
}

// cli runs a command against the worker, as a script does: nothing is a terminal.
func (w *worker) cli(t testing.TB, args ...string) said {
	t.Helper()
	return command(t, "", []string{"QUEUE_WORKER_SERVER=" + w.base}, args...)
}

// command runs the program to its end.
func command(t testing.TB, stdin string, env []string, args ...string) said {
	t.Helper()
	cmd := prepare(t, env, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer stuck.Stop()
	_ = cmd.Wait() // how it ended stands in ProcessState
	return said{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// prepare makes a command that is not started yet.
func prepare(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := plainBinary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = environment(env...)
	cmd.Dir = t.TempDir()
	dieWithParent(cmd)
	return cmd
}
