// File child_linux.go ends processes with their parent.

package dev

import (
	"os"
	"os/exec"
	"syscall"
)

// dieTogether has the kernel end a process by a signal when this one is killed.
func dieTogether(cmd *exec.Cmd, stop os.Signal) {
	if s, ok := stop.(syscall.Signal); ok {
		attributes(cmd).Pdeathsig = s
	}
}
