// Command queue-worker calls OpenFaaS functions asynchronously. Without a command
// it is the worker, configured by its environment; see docs/settings.md.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"queue-worker/pkg/command"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)) }

// run runs a command line until it ends, or signals end it, and returns the exit code.
func run(args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	drain, stopDrain := context.WithCancel(context.Background())
	defer stopDrain()
	abort, stopAbort := context.WithCancel(context.Background())
	defer stopAbort()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() { // ends with run, by stopAbort
		for _, stop := range []func(){stopDrain, stopAbort} { // first signal, second signal
			select {
			case <-signals:
				stop()
			case <-abort.Done():
				return
			}
		}
	}()
	return command.Run(drain, abort, args, command.Process{
		Version: version, Environ: environ, Stdin: stdin, Stdout: stdout, Stderr: stderr,
	})
}
