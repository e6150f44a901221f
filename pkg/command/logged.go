// File logged.go reports the error that ended a worker in the form of its log.

package command

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"queue-worker/pkg/escape"
)

// loggedError is an error that was reported already.
type loggedError struct{ error }

func (e loggedError) Unwrap() error { return e.error }

// reported writes the error that ended a worker to stderr as lines of JSON where its log has that form, so that what reads
// the log can read its last lines too. The settings may be what is wrong, so only this one is looked at.
func (e *env) reported(err error) error {
	if err == nil || e.get("log_encoding") != "json" {
		return err
	}
	log := slog.New(slog.NewJSONHandler(escape.JSONWriter(e.Stderr), nil))
	for line := range strings.Lines(errorText(err)) {
		log.Error("worker ended", "error", strings.TrimSuffix(line, "\n"))
	}
	return loggedError{err}
}

// errorText is what an error that ends the program says, "" for one that was reported already.
func errorText(err error) string {
	if _, ok := errors.AsType[loggedError](err); ok {
		return ""
	}
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	return err.Error()
}
