// File log.go writes log lines for people: time, level, message, key=value.

package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"queue-worker/pkg/escape"
)

const logTime = "2006-01-02T15:04:05.000Z07:00"

// Sequences that paint a log line.
const (
	paintNone   = "\x1b[0m"
	paintFaint  = "\x1b[2m"
	paintGreen  = "\x1b[92m"
	paintYellow = "\x1b[93m"
	paintRed    = "\x1b[91m"
)

// LogHandler is a slog.Handler that writes one line for each record. Nothing that is
// logged can break a line or control a terminal: values are quoted as in Go, and the
// message is escaped.
type LogHandler struct {
	level  slog.Leveler
	color  bool
	groups string // names of the open groups, each with a dot after it
	attrs  []byte // as they are written

	mu *sync.Mutex // guards w, and is shared by all that write to it
	w  io.Writer
}

var _ slog.Handler = (*LogHandler)(nil)

// NewLogHandler returns a handler that writes records of a level and above to w.
func NewLogHandler(w io.Writer, level slog.Leveler, color bool) *LogHandler {
	return &LogHandler{level: level, color: color, mu: &sync.Mutex{}, w: w}
}

// Enabled reports whether records of a level are written.
func (h *LogHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

// Handle writes a record.
func (h *LogHandler) Handle(_ context.Context, r slog.Record) error {
	b := make([]byte, 0, 512)
	if !r.Time.IsZero() {
		b = append(h.paint(b, paintFaint, r.Time.Format(logTime)), ' ')
	}
	b = append(h.appendLevel(b, r.Level), ' ')
	b = append(b, escape.Line(r.Message)...)
	b = append(b, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		b = h.appendAttr(b, h.groups, a)
		return true
	})
	b = append(b, '\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.w.Write(b)
	return err
}

// WithAttrs returns a handler whose records have attrs before their own.
func (h *LogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	other := *h
	other.attrs = h.attrs[:len(h.attrs):len(h.attrs)]
	for _, a := range attrs {
		other.attrs = h.appendAttr(other.attrs, h.groups, a)
	}
	return &other
}

// WithGroup returns a handler that puts name before the keys of later attributes.
func (h *LogHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	other := *h
	other.groups += name + "."
	return &other
}

func (h *LogHandler) appendLevel(b []byte, level slog.Level) []byte {
	name, color, base := "ERR", paintRed, slog.LevelError
	switch {
	case level < slog.LevelInfo:
		name, color, base = "DBG", "", slog.LevelDebug
	case level < slog.LevelWarn:
		name, color, base = "INF", paintGreen, slog.LevelInfo
	case level < slog.LevelError:
		name, color, base = "WRN", paintYellow, slog.LevelWarn
	}
	if d := level - base; d != 0 {
		name += fmt.Sprintf("%+d", int(d))
	}
	return h.paint(b, color, name)
}

func (h *LogHandler) appendAttr(b []byte, groups string, a slog.Attr) []byte {
	a.Value = a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return b
	}
	if a.Value.Kind() == slog.KindGroup {
		if a.Key != "" {
			groups += a.Key + "."
		}
		for _, inner := range a.Value.Group() {
			b = h.appendAttr(b, groups, inner)
		}
		return b
	}
	b = append(b, ' ')
	b = h.paint(b, paintFaint, quoted(groups+a.Key)+"=")
	return append(b, quoted(logText(a.Value))...)
}

func (h *LogHandler) paint(b []byte, color, text string) []byte {
	if !h.color || color == "" {
		return append(b, text...)
	}
	b = append(b, color...)
	b = append(b, text...)
	return append(b, paintNone...)
}

func logText(v slog.Value) string {
	if v.Kind() == slog.KindTime {
		return v.Time().Format(logTime)
	}
	return v.String()
}

// quoted is a text as it is, or quoted as in Go where it would be taken for more or
// less than one value, or has a character that does not print.
func quoted(s string) string {
	isOdd := func(r rune) bool {
		return r == ' ' || r == '=' || r == '"' || r == utf8.RuneError || !unicode.IsPrint(r)
	}
	if s == "" || strings.ContainsFunc(s, isOdd) {
		return strconv.Quote(s)
	}
	return s
}
