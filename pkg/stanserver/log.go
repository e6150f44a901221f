package stanserver

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

// serverLog carries the lines of nats-server and nats-streaming-server into the
// worker's log. It lets no message content through, which those servers print
// when they meet a publisher that they do not know or a damaged record.
type serverLog struct{ log *slog.Logger }

// The lines of the libraries that carry content, without the "STREAM: " prefix.
const (
	formatUnknownPublisher = "Received invalid client publish message %v"
	formatDump             = "%s%s - %s"
)

// quoted are the parts of errors of nats-server behind which it repeats what a client
// sent.
var quoted = regexp.MustCompile(`(?s)(parser ERROR|Parse Error|Bad or Missing|Header Size|snip: |proto=).*`)

// Warnings that are none here: dropping the oldest messages is how consumed ones
// go, and large messages are what MaxPayload is set for.
const (
	formatLimits  = "Reached limits for store"
	formatPayload = "Maximum payloads over"
	// formatHeartbeats: a publisher is gone without a word, which is its own matter.
	formatHeartbeats = "Timed out on heartbeats"
)

var hexDump = regexp.MustCompile(`^([0-9a-f]{2} ?)+$`)

func (l *serverLog) write(level slog.Level, format string, v []any) {
	if !l.log.Enabled(context.Background(), level) {
		return
	}
	format = strings.TrimPrefix(format, "STREAM: ")
	switch {
	case format == formatUnknownPublisher:
		format, v = "refused a publish of a client that is not connected", nil
	case format == formatDump, hexDump.MatchString(format):
		return
	}
	text := format
	if len(v) > 0 {
		text = fmt.Sprintf(format, v...)
	}
	text = quoted.ReplaceAllString(text, "$1")
	l.log.Log(context.Background(), level, "embedded NATS Streaming", "message", text)
}

// Noticef is the libraries' chatter at start and stop.
func (l *serverLog) Noticef(format string, v ...any) { l.write(slog.LevelDebug, format, v) }

// Warnf passes a warning on.
func (l *serverLog) Warnf(format string, v ...any) {
	if strings.Contains(format, formatLimits) || strings.HasPrefix(format, formatPayload) {
		l.write(slog.LevelDebug, format, v)
		return
	}
	l.write(slog.LevelWarn, format, v)
}

// Errorf passes an error on as a warning: what the worker cannot continue after is
// returned by Start.
func (l *serverLog) Errorf(format string, v ...any) {
	if strings.HasSuffix(format, formatHeartbeats) {
		l.write(slog.LevelInfo, format, v)
		return
	}
	l.write(slog.LevelWarn, format, v)
}

// Fatalf must not end the process: the caller of Start gets the error.
func (l *serverLog) Fatalf(format string, v ...any) { l.write(slog.LevelError, format, v) }

// Debugf passes details on.
func (l *serverLog) Debugf(format string, v ...any) { l.write(slog.LevelDebug, format, v) }

// Tracef drops what it gets: it holds message content.
func (l *serverLog) Tracef(string, ...any) {}
