package e2e

import (
	"os/exec"
	"syscall"
)

// dieWithParent lets no child outlive a test run that is cut off.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
