// Package escape writes text of others so that it can be shown anywhere. What
// controls a terminal, breaks a line, is invisible, turns the direction of writing
// or is no UTF-8 becomes an escape: \x1b in text, \u001b in JSON, where it means the
// same value. Everything that may be shown on a terminal passes through here: log lines,
// tables, errors, and JSON of the API, the command line and exports.
//
// It does not escape for HTML, shells or URLs.
package escape

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line makes a text one line.
func Line(s string) string {
	if isClean(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		writeRune(&b, r, s[:n], isHarmless)
		s = s[n:]
	}
	return b.String()
}

// Lines is Line for a text that may have line ends and tabs.
func Lines(s string) string {
	var b strings.Builder
	w := NewWriter(&b)
	_, _ = w.Write([]byte(s)) // a strings.Builder takes everything
	w.Flush()
	return b.String()
}

func isClean(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !isHarmless(r) })
}

// isHarmless reports whether a character only shows itself. Of format characters
// (Unicode Cf) none does, and neither do the separators of lines and paragraphs.
func isHarmless(r rune) bool {
	return unicode.IsGraphic(r) && r != '\u2028' && r != '\u2029'
}

func isHarmlessInLines(r rune) bool { return r == '\n' || r == '\t' || isHarmless(r) }

// writeRune writes one character, raw being its bytes.
func writeRune(b *strings.Builder, r rune, raw string, harmless func(rune) bool) {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		fmt.Fprintf(b, `\x%02x`, raw[0])
	case harmless(r):
		b.WriteString(raw)
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\r':
		b.WriteString(`\r`)
	case r == '\t':
		b.WriteString(`\t`)
	case r < 0x80:
		fmt.Fprintf(b, `\x%02x`, r)
	case r < 0x10000:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}

// Writer escapes a stream, except for line ends and tabs. Flush ends it.
type Writer struct {
	w    io.Writer
	part []byte // the beginning of a character whose end has not come
}

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

func (w *Writer) Write(p []byte) (int, error) {
	s := string(append(w.part, p...))
	w.part = nil
	var b strings.Builder
	for len(s) > 0 {
		if !utf8.FullRuneInString(s) {
			w.part = []byte(s)
			break
		}
		r, n := utf8.DecodeRuneInString(s)
		writeRune(&b, r, s[:n], isHarmlessInLines)
		s = s[n:]
	}
	if _, err := io.WriteString(w.w, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes the bytes of a character that never got its end.
func (w *Writer) Flush() {
	for _, b := range w.part {
		_, _ = fmt.Fprintf(w.w, `\x%02x`, b)
	}
	w.part = nil
}
