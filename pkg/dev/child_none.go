//go:build !unix

package dev

import (
	"errors"
	"os"
	"os/exec"
)

// The signals that end processes.
var (
	StopWorker = os.Kill
	stopAtOnce = os.Kill
)

type owner struct{ uid, gid int }

func postgresOwner() (*owner, error) {
	return nil, errors.New("a private PostgreSQL is started on Unix only: give the URL of one that runs")
}

func runAs(*exec.Cmd, *owner) {}

func apart(*exec.Cmd, os.Signal) {}
