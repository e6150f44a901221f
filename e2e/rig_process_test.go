package e2e

// A child process: started, watched, signalled, and gone before its test is.

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for something that must happen. No result depends
// on it.
const patience = time.Minute

// tail is how many lines of a process are shown when its test fails.
const tail = 150

// process is a child and what it has written.
type process struct {
	name string
	cmd  *exec.Cmd
	out  output
	over chan struct{} // closed when it has ended

	muted atomic.Bool
}

// mute lets a failed test show nothing of the process; it saves the output itself.
func (p *process) mute() { p.muted.Store(true) }

// spawn starts a child. It is killed at the end of the test, and its last lines
// are shown when the test has failed.
func spawn(t testing.TB, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, cmd: cmd, out: output{changed: make(chan struct{})}, over: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	dieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v, want no error", name, err)
	}
	go func() {
		_ = cmd.Wait() // how it ended stands in ProcessState
		close(p.over)
		p.out.note()
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() && !p.muted.Load() {
			t.Logf("the last lines of %s, pid %d, %s:\n%s", name, cmd.Process.Pid, cmd.ProcessState, p.out.tail(tail))
		}
	})
	return p
}

// kill is kill -9; it returns when the process is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.over
}

func (p *process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal %s to %s: %v, want no error", s, p.name, err)
	}
}

// exit waits for the end of the process and returns its exit code, -1 when a
// signal has killed it.
func (p *process) exit(t testing.TB) int {
	t.Helper()
	select {
	case <-p.over:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("%s does not end", p.name)
	}
	return 0
}

func (p *process) isOver() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

// line waits for a line that is wanted and returns it. It fails the test when the
// process ends without having written one.
func (p *process) line(t testing.TB, what string, wanted func(string) bool) string {
	t.Helper()
	late := time.After(patience)
	for from := 0; ; {
		over := p.isOver()
		lines, changed := p.out.since(from)
		for _, l := range lines {
			if wanted(l) {
				return l
			}
		}
		from += len(lines)
		if over {
			t.Fatalf("%s ended (%s) without a line about %s, want not over", p.name, p.cmd.ProcessState, what)
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("%s has written no line about %s", p.name, what)
		}
	}
}

// output collects lines.
type output struct {
	mu      sync.Mutex
	lines   []string
	partial []byte
	changed chan struct{} // closed and replaced with every change
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	o.partial = append(o.partial, b...)
	for {
		line, rest, found := bytes.Cut(o.partial, []byte("\n"))
		if !found {
			break
		}
		o.lines = append(o.lines, string(line))
		o.partial = rest
	}
	o.mu.Unlock()
	o.note()
	return len(b), nil
}

func (o *output) note() {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *output) since(n int) ([]string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lines[n:len(o.lines):len(o.lines)], o.changed
}

// String is everything that was written.
func (o *output) String() string {
	lines, _ := o.since(0)
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(lines, "\n") + "\n" + string(o.partial)
}

func (o *output) tail(n int) string {
	lines, _ := o.since(0)
	return strings.Join(lines[max(len(lines)-n, 0):], "\n")
}

// environment is what every child gets of ours. Settings come after it.
func environment(settings ...string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir()}
	return append(env, settings...)
}
