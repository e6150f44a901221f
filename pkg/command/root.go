// File root.go has the commands and their flags. docs/cli.md is generated from them.

package command

//go:generate go test -run ^TestCommandsPage$ . -update

import (
	"io"
	"log"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"queue-worker/pkg/app"
	"queue-worker/pkg/config"
	"queue-worker/pkg/escape"
	"queue-worker/pkg/term"
)

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "queue-worker",
		Short: "Calls OpenFaaS functions asynchronously, retries them, and keeps what failed",
		Long: `queue-worker takes asynchronous invocations off an OpenFaaS queue, calls the
function, retries it with exponential back-off and keeps what was given up.

Without a command it is the worker. All of its settings are environment
variables, and docs/settings.md has the table of them. The defaults fit a
gateway named "gateway" and a NATS Streaming server named "nats".

The other commands ask a running worker, at --server.

Exit codes: 0 ended as it was asked to, 1 failed, 2 wrong usage or settings.`,
		Example:       "  queue-worker\n  queue-worker dev\n  queue-worker dead ls --server http://127.0.0.1:8081",
		Args:          noArgs,
		Version:       e.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(*cobra.Command, []string) error { return e.reported(runWorker(e)) },
	}
	root.SetFlagErrorFunc(flagError)
	root.SetVersionTemplate("{{.Version}}\n")
	root.CompletionOptions.DisableDefaultCmd = true // ours has examples and exit codes as well
	root.AddCommand(
		newDead(e), newJob(e), newReplay(e), newInvocation(e), newFunction(e), newSend(e), newPolicy(e), newStatus(e),
		newDoctor(e), newConfig(e), newDev(e), newStore(e), newVersion(e), newCompletion(e))
	completeAll(e, root)
	return root
}

func newVersion(e *env) *cobra.Command {
	c := command("version", "Print the version", "", codesPlain, "queue-worker version")
	c.Args = noArgs
	c.RunE = func(*cobra.Command, []string) error {
		_, err := io.WriteString(e.Stdout, e.Version+"\n")
		return err
	}
	return c
}

// runWorker is the worker itself.
func runWorker(e *env) error {
	// net/http writes parts of answers that it did not ask for to the global
	// logger. Nothing of ours does, and bodies have no place in a log.
	log.SetOutput(io.Discard)
	c, err := config.Load(e.Environ)
	if err != nil {
		return usageError{err}
	}
	logger, closeLog := newLogger(e.Stdout, c)
	defer closeLog()
	return app.Run(e.drain, e.abort, app.Options{Config: c, Version: e.Version, Logger: logger})
}

// newLogger returns a logger of lines for a terminal, or of JSON. Its lines leave some milliseconds later, all of
// them with end, warnings and errors at once.
func newLogger(w io.Writer, c *config.Config) (_ *slog.Logger, end func()) {
	level := slog.LevelInfo
	if c.LogLevel == "debug" {
		level = slog.LevelDebug
	}
	buffer := term.NewLogBuffer(w)
	var h slog.Handler = term.NewLogHandler(buffer, level, term.IsTerminal(w))
	if c.LogEncoding == "json" {
		h = slog.NewJSONHandler(escape.JSONWriter(buffer), &slog.HandlerOptions{Level: level, ReplaceAttr: durationsAsText})
	}
	return slog.New(term.FlushWarnings(h, buffer)), func() { _ = buffer.Close() }
}

// durationsAsText writes 1.5s instead of a number of nanoseconds.
func durationsAsText(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().String())
	}
	if a.Value.Kind() == slog.KindTime && a.Key != slog.TimeKey {
		return slog.String(a.Key, a.Value.Time().Format(time.RFC3339Nano))
	}
	return a
}

// withoutIgnored takes out the flags that charts of the commercial worker pass,
// with one dash or two, and their values.
func withoutIgnored(args []string) []string {
	kept := []string{} // never nil, for which cobra reads os.Args itself
	for i := 0; i < len(args); i++ {
		name, _, hasValue := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		if !strings.HasPrefix(args[i], "-") || !slices.Contains(config.IgnoredFlags(), name) {
			kept = append(kept, args[i])
			continue
		}
		if !hasValue && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") && name != "pprof" {
			i++ // its value
		}
	}
	return kept
}
