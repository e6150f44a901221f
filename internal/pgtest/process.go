// File process.go starts processes that end with the test.

package pgtest

import (
	"context"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// command is a call of one of PostgreSQL's programs, as the user of the cluster.
func (s *Server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), filepath.Join(s.bin, program), args...) // #nosec G204 -- a program of PostgreSQL
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner}
	return cmd
}

// start starts the server in a process group of its own. It is killed when the test binary dies,
// for which the thread that has started it has to live as long as the server.
func (s *Server) start() error {
	s.process.SysProcAttr.Setpgid = true
	s.process.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	s.exited = make(chan struct{})
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(s.exited)
		err := s.process.Start()
		started <- err
		if err == nil {
			_ = s.process.Wait() // how it has ended is in its output
		}
	}()
	return <-started
}
