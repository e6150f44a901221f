// File child.go starts the parts of the benchmark that must not share a process, because their
// CPU time and memory are measured or would disturb those of others.

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// child is this program again, with another first argument. It ends when its standard input
// does, and so also when this process dies.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	// port is where it listens, the first line of its output.
	port string
}

func startChild(ctx context.Context, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, fmt.Errorf("%s did not start: %w", args[0], err)
	}
	return &child{cmd, stdin, strings.TrimSpace(line)}, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) close() {
	_ = c.stdin.Close()
	_ = c.cmd.Wait()
}

// untilClosed blocks until the parent closes our standard input.
func untilClosed() { _, _ = io.Copy(io.Discard, os.Stdin) }
