// File panic.go logs panics that end the process.

package crash

import (
	"fmt"
	"log/slog"
	"runtime"
)

// LogPanic logs a panic of its goroutine, which then ends the process with its stack as without this. It is deferred
// first, so that the log, whose errors are written at once, holds all lines before the panic.
func LogPanic(log *slog.Logger, where string) {
	p := recover()
	if p == nil {
		return
	}
	text := fmt.Sprintf("%T", p) // a text that is not of the runtime may hold part of a message
	if err, ok := p.(runtime.Error); ok {
		text = err.Error()
	}
	log.Error("panic, exiting", "in", where, "panic", text)
	panic(p)
}
