// File child.go runs the processes of a stand that has several.

package dev

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
)

// Child is a process of the stand. Ctrl-C on the terminal does not reach it: it is ended in its turn.
type Child struct {
	cmd   *exec.Cmd
	stop  os.Signal
	ended chan struct{}
}

// StartChild starts a process, whose lines go to out. Stop ends it by a signal. It ends, too, when
// this process dies, where the system can do that.
func StartChild(cmd *exec.Cmd, stop os.Signal, out io.Writer) (*Child, error) {
	c := &Child{cmd: cmd, stop: stop, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = out, out
	apart(cmd, stop)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // on Linux it is the end of the thread that ends the process
		defer close(c.ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its lines
		}
	}()
	return c, <-started
}

// Pid is the number of the process.
func (c *Child) Pid() int { return c.cmd.Process.Pid }

// Ended is closed when the process has ended.
func (c *Child) Ended() <-chan struct{} { return c.ended }

// Stop ends the process, and returns when it is gone.
func (c *Child) Stop() {
	if c.cmd.Process != nil {
		_ = c.cmd.Process.Signal(c.stop) // it may be gone already
	}
	<-c.ended
}

// Kill ends the process as a crash does.
func (c *Child) Kill() {
	_ = c.cmd.Process.Kill() // it may be gone already
}

// Lines writes whole lines of several processes to one place, each after a prefix.
type Lines struct {
	to     *Shared
	prefix string
	rest   []byte
	mu     sync.Mutex
}

// Shared is a writer that several goroutines use.
type Shared struct {
	mu sync.Mutex
	w  io.Writer
}

// NewShared makes w usable by several goroutines.
func NewShared(w io.Writer) *Shared { return &Shared{w: w} }

// Write implements io.Writer.
func (s *Shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}

// NewLines makes the lines of one process.
func NewLines(to *Shared, prefix string) *Lines { return &Lines{to: to, prefix: prefix} }

// longestLine bounds what is kept of a line that does not end.
const longestLine = 64 << 10

// Write implements io.Writer.
func (l *Lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		end := bytes.IndexByte(l.rest, '\n')
		if end < 0 && len(l.rest) < longestLine {
			return len(b), nil
		}
		line := l.rest
		if end >= 0 {
			line = l.rest[:end]
		}
		if _, err := l.to.Write(append(append([]byte(l.prefix), line...), '\n')); err != nil {
			return 0, err
		}
		l.rest = bytes.Clone(l.rest[min(len(line)+1, len(l.rest)):])
	}
}
