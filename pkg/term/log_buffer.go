// File log_buffer.go collects log lines and writes many of them at once.

package term

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// logDelay is how long a line may stay in the buffer. A kill -9 loses what is there.
	logDelay = 5 * time.Millisecond
	// maxLogBytes bounds the collected lines in bytes. As many may be being written beside them.
	maxLogBytes = 128 << 10
)

// LogBuffer is a writer of log lines, each in one Write. It keeps their order and drops none: lines leave after
// logDelay, with Flush, or when the buffer is full. The caller of Write then waits for the output. It is safe for use
// by many goroutines.
type LogBuffer struct {
	w      io.Writer
	output chan struct{} // holds one while lines are given to w; entered before mu is taken
	spare  []byte        // the memory of the lines that were written last; for who is in output

	mu     sync.Mutex
	lines  []byte
	timer  *time.Timer // flushes lines; nil before the first one
	closed bool
}

// NewLogBuffer returns a LogBuffer that writes to w. Close it before the process ends.
func NewLogBuffer(w io.Writer) *LogBuffer { return &LogBuffer{w: w, output: make(chan struct{}, 1)} }

// Write takes a copy of a line. The error of a later output is not reported here.
func (b *LogBuffer) Write(line []byte) (int, error) {
	for !b.add(line) {
		if err := b.Flush(); err != nil {
			return 0, err
		}
	}
	return len(line), b.flushIfClosed()
}

// add appends a line and reports whether there was room. One line always fits into an empty buffer.
func (b *LogBuffer) add(line []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lines) > 0 && len(b.lines)+len(line) > maxLogBytes {
		return false
	}
	if len(b.lines) == 0 && !b.closed {
		b.flushLater()
	}
	b.lines = append(b.lines, line...)
	return true
}

// flushLater starts the timer; mu is held.
func (b *LogBuffer) flushLater() {
	if b.timer == nil {
		b.timer = time.AfterFunc(logDelay, func() { _ = b.Flush() }) // there is no place to report that a log cannot be written
		return
	}
	b.timer.Reset(logDelay)
}

// Flush returns when all lines that were added before have been given to the output.
func (b *LogBuffer) Flush() error {
	b.output <- struct{}{}
	defer func() { <-b.output }()
	b.mu.Lock()
	lines := b.lines
	b.lines = b.spare[:0]
	b.mu.Unlock()
	b.spare = lines[:0:min(cap(lines), maxLogBytes)] // one longer line does not pin its memory for good
	if len(lines) == 0 {
		return nil
	}
	_, err := b.w.Write(lines)
	return err
}

// Close flushes. Lines that come later are written at once. It may be called again.
func (b *LogBuffer) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	return b.Flush()
}

func (b *LogBuffer) flushIfClosed() error {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if !closed {
		return nil
	}
	return b.Flush()
}

// listening is the message that names the address. It leaves at once, with what was logged before: a process that is
// killed right after its start has named it.
const listening = "listening"

// FlushWarnings returns a handler that is h, and flushes b with every warning and error, and with the address of the
// HTTP server. All lines before it leave with it.
func FlushWarnings(h slog.Handler, b *LogBuffer) slog.Handler { return flushing{h, b} }

type flushing struct {
	slog.Handler
	buffer *LogBuffer
}

// Handle implements slog.Handler.
func (h flushing) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	if r.Level < slog.LevelWarn && r.Message != listening {
		return err
	}
	return errors.Join(err, h.buffer.Flush())
}

// WithAttrs implements slog.Handler.
func (h flushing) WithAttrs(attrs []slog.Attr) slog.Handler {
	return flushing{h.Handler.WithAttrs(attrs), h.buffer}
}

// WithGroup implements slog.Handler.
func (h flushing) WithGroup(name string) slog.Handler {
	return flushing{h.Handler.WithGroup(name), h.buffer}
}
