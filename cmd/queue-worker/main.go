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
	"syscall"
)

// version is set by the linker.
var version = "dev"

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

// run carries out a command line and returns the exit code.
func run(args, environ []string, stdout, stderr io.Writer) int {
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

	root := newRoot(&env{drain: drain, abort: abort, environ: environ, stdout: stdout, stderr: stderr})
	root.SetArgs(withoutIgnored(args))
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintf(stderr, "queue-worker: %v\n", err)
	if u := (usageError{}); errors.As(err, &u) {
		return exitUsage
	}
	return exitFailed
}

// env is what commands are given of the world.
type env struct {
	drain, abort context.Context // ended by the first and the second signal
	environ      []string
	stdout       io.Writer
	stderr       io.Writer // progress of long work
}
