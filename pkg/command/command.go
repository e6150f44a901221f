// Package command has the commands of the program: their flags, tables, progress and
// exit codes. Without a command the program is the worker.
//
//	worker, dev                    run a worker in this process
//	doctor, config, store          check what a worker on this machine needs and has
//	dead, job, invocation, ...     use a running worker over HTTP, with pkg/client
//
// A command reads flags, makes one call to the package that does the work, and shows the
// answer with pkg/term. docs/cli.md is generated from the commands.
//
// It knows neither the process that it runs in nor its signals: the caller of Run passes
// both. It decides nothing about invocations.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"queue-worker/pkg/escape"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitPartly = 3
)

// Process is what the commands get from the process that they run in.
type Process struct {
	Version string
	Environ []string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer // errors, and the progress of long work
}

// Run runs a command line and returns its exit code. Drain ends with the first signal to
// stop: a worker drains then, and other commands are interrupted. Abort ends with the
// second one, and aborts the drain.
func Run(drain, abort context.Context, args []string, p Process) int {
	root := newRoot(&env{Process: p, drain: drain, abort: abort})
	root.SetArgs(withoutIgnored(args))
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	return exitCode(root.Execute(), p.Stderr)
}

// exitCode reports an error that ended the program, and returns the code for it.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	if text := errorText(err); text != "" {
		_, _ = fmt.Fprintf(stderr, "queue-worker: %s\n", escape.Lines(text))
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[partlyError](err); ok {
		return exitPartly
	}
	return exitFailed
}

// env is what every command works with.
type env struct {
	Process
	drain, abort context.Context // ended by the first and the second signal
}

// get returns a variable of the environment, the last one of its name.
func (e *env) get(name string) string {
	for _, v := range slices.Backward(e.Environ) {
		if n, value, _ := strings.Cut(v, "="); n == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
