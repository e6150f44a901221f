// Command queue-worker calls OpenFaaS functions asynchronously. Without a command
// it is the worker, configured by its environment; see docs/settings.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"queue-worker/pkg/escape"
)

// version is set by the linker.
var version = "dev"

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitPartly = 3
)

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)) }

// run carries out a command line and returns the exit code.
func run(args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	drain, stopDrain := context.WithCancel(context.Background())
	defer stopDrain()
	abort, stopAbort := context.WithCancel(context.Background())
	defer stopAbort()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		for _, stop := range []func(){stopDrain, stopAbort} { // first signal, second signal
			select {
			case <-signals:
				stop()
			case <-abort.Done():
				return
			}
		}
	}()

	root := newRoot(&env{drain: drain, abort: abort, environ: environ, stdin: stdin, stdout: stdout, stderr: stderr})
	root.SetArgs(withoutIgnored(args))
	root.SetOut(stdout)
	root.SetErr(stderr)
	return exitCode(root.Execute(), stderr)
}

// exitCode says what went wrong, and how badly.
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

// env is what commands are given of the world.
type env struct {
	drain, abort context.Context // ended by the first and the second signal
	environ      []string
	stdin        io.Reader
	stdout       io.Writer
	stderr       io.Writer // progress of long work
}

// get is a variable of the environment, the last one of its name.
func (e *env) get(name string) string {
	for _, v := range slices.Backward(e.environ) {
		if n, value, _ := strings.Cut(v, "="); n == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
