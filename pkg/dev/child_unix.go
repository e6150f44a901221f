//go:build unix

// File child_unix.go has what processes have on Unix.

package dev

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// The signals that end processes: a worker drains, PostgreSQL ends its sessions.
var (
	StopWorker os.Signal = syscall.SIGTERM
	stopAtOnce os.Signal = syscall.SIGINT
)

// owner is a user as the system knows it.
type owner struct{ uid, gid int }

// postgresOwner is who runs PostgreSQL when this process is root, which it refuses to be; nil for this
// user.
func postgresOwner() (*owner, error) {
	if os.Getuid() != 0 {
		return nil, nil //nolint:nilnil // this user
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and its own user is missing: run this as another user: %w", err)
	}
	uid, uerr := strconv.Atoi(u.Uid)
	gid, gerr := strconv.Atoi(u.Gid)
	return &owner{uid, gid}, errors.Join(uerr, gerr)
}

// runAs has a process run as another user; nil for this one.
func runAs(cmd *exec.Cmd, o *owner) {
	if o != nil {
		attributes(cmd).Credential = &syscall.Credential{Uid: uint32(o.uid), Gid: uint32(o.gid)} // #nosec G115 -- of the system
	}
}

// apart keeps a process out of what the terminal signals, and has it end when this one dies.
func apart(cmd *exec.Cmd, stop os.Signal) {
	attributes(cmd).Setpgid = true
	dieTogether(cmd, stop)
}

func attributes(cmd *exec.Cmd) *syscall.SysProcAttr {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	return cmd.SysProcAttr
}
