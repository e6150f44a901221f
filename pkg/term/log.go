// File log.go writes log lines for terminals: time, level, message, key=value.

package term

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
	line := logLines.Get().(*[]byte)
	defer logLines.Put(line)
	b := (*line)[:0]
	if !r.Time.IsZero() {
		b = h.begin(b, paintFaint)
		b = r.Time.AppendFormat(b, logTime)
		b = append(h.end(b, paintFaint), ' ')
	}
	b = append(h.appendLevel(b, r.Level), ' ')
	b = append(b, escape.Line(r.Message)...)
	b = append(b, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		b = h.appendAttr(b, h.groups, a)
		return true
	})
	b = append(b, '\n')
	if cap(b) <= maxLogLine {
		*line = b
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.w.Write(b)
	return err
}

// logLines holds the memory of lines.
var logLines = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// maxLogLine bounds the memory that is kept for lines, in bytes each.
const maxLogLine = 4 << 10

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
	b = h.begin(append(b, ' '), paintFaint)
	if groups == "" {
		b = appendQuoted(b, a.Key)
	} else {
		b = appendQuoted(b, groups+a.Key)
	}
	b = h.end(append(b, '='), paintFaint)
	return appendLogValue(b, a.Value)
}

func (h *LogHandler) paint(b []byte, color, text string) []byte {
	return h.end(append(h.begin(b, color), text...), color)
}

// begin and end stand around what has a color; "" is none.
func (h *LogHandler) begin(b []byte, color string) []byte {
	if !h.color {
		return b
	}
	return append(b, color...)
}

func (h *LogHandler) end(b []byte, color string) []byte {
	if !h.color || color == "" {
		return b
	}
	return append(b, paintNone...)
}

func appendLogValue(b []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10)
	case slog.KindTime:
		return appendQuoted(b, v.Time().Format(logTime))
	default:
		return appendQuoted(b, v.String())
	}
}

// appendQuoted appends a text as it is, or quoted as in Go where it would be taken for more or
// less than one value, or has a character that does not print.
func appendQuoted(b []byte, s string) []byte {
	isOdd := func(r rune) bool {
		return r == ' ' || r == '=' || r == '"' || r == utf8.RuneError || !unicode.IsPrint(r)
	}
	if s == "" || !isPlainWord(s) && strings.ContainsFunc(s, isOdd) {
		return strconv.AppendQuote(b, s)
	}
	return append(b, s...)
}

// isPlainWord reports whether s has nothing but ASCII letters, digits and marks that need no quotes.
func isPlainWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '=' || c == '"' {
			return false
		}
	}
	return true
}
