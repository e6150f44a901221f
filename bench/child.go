// Child processes: the parts that must not share a process, because their CPU
// time and memory are measured or would disturb those of others.

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// child is a part of the stand: this program again, with another first argument.
// It ends when its standard input does, and so also when this process dies.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	// says is the first line of its output: where it listens.
	says string
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
		return nil, fmt.Errorf("%s did not start: %w", args[0], err)
	}
	return &child{cmd, stdin, strings.TrimSpace(line)}, nil
}

func (c *child) close() {
	_ = c.stdin.Close()
	_ = c.cmd.Wait()
}

// untilClosed blocks until the parent closes our standard input.
func untilClosed() { _, _ = io.Copy(io.Discard, os.Stdin) }

// usage is what a process has taken.
type usage struct {
	cpu     time.Duration // user and system
	peakRSS int64         // bytes; 0 where the system does not tell
}

// peakRSS reads the peak from /proc: the one that wait4 tells would include this
// process, from which the child was cloned.
func peakRSS(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	var kib int64
	for line := range strings.Lines(string(status)) {
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			break
		}
	}
	return kib << 10
}
