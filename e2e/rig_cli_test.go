package e2e

// The command line: the same binary, asked about a worker.

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"queue-worker/internal/testkit"
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
			t.Errorf("no %q\nstdout: %s\nstderr: %s, want it", text, s.stdout, s.stderr)
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

// terminal is a command that a person runs.
type terminal struct {
	t    testing.TB
	cmd  *exec.Cmd
	pty  *os.File
	done chan struct{} // closed when everything that it wrote has been read

	mu  sync.Mutex
	out bytes.Buffer
}

// person runs a command on a terminal, 150 columns wide.
func (w *worker) person(t testing.TB, args ...string) *terminal {
	t.Helper()
	cmd := prepare(t, []string{"QUEUE_WORKER_SERVER=" + w.base, "TERM=xterm"}, args...)
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 150})
	if err != nil {
		t.Fatal(err)
	}
	p := &terminal{t: t, cmd: cmd, pty: f, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_, _ = io.Copy(p, f) // ends with an error when the command has ended
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = f.Close() })
	return p
}

// Write takes what the command has written.
func (p *terminal) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

// screen is what was written so far.
func (p *terminal) screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// answers waits for a text and types a line.
func (p *terminal) answers(text, line string) {
	p.t.Helper()
	testkit.Eventually(p.t, "the terminal to show "+text, func() bool { return strings.Contains(p.screen(), text) })
	if _, err := p.pty.WriteString(line); err != nil {
		p.t.Fatal(err)
	}
}

// want waits for the end of the command.
func (p *terminal) want(code int, texts ...string) string {
	p.t.Helper()
	stuck := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer stuck.Stop()
	<-p.done
	_ = p.cmd.Wait() // how it ended stands in ProcessState
	said{p.cmd.ProcessState.ExitCode(), p.screen(), ""}.want(p.t, code, texts...)
	return p.screen()
}
