package escape

import (
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON escapes a document of JSON, which keeps its value: only its strings can hold
// anything harmful. A carriage return, which can only stand between two values,
// becomes a space. It returns b itself when there is nothing to escape.
func JSON(b []byte) []byte {
	n := plain(b)
	if n == len(b) {
		return b
	}
	out := make([]byte, 0, len(b)+len(b)/8+16)
	for {
		out = append(out, b[:n]...)
		if b = b[n:]; len(b) == 0 {
			return out
		}
		r, size := utf8.DecodeRune(b)
		out = appendJSON(out, r, b[:size])
		b = b[size:]
		n = plain(b)
	}
}

// plain is how many bytes at the beginning of b are harmless characters of ASCII.
func plain(b []byte) int {
	for i, c := range b {
		if (c < ' ' || c > '~') && c != '\n' && c != '\t' {
			return i
		}
	}
	return len(b)
}

func appendJSON(out []byte, r rune, raw []byte) []byte {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return append(out, `\ufffd`...) // as every reader of JSON has it
	case r == '\r':
		return append(out, ' ')
	case isHarmless(r):
		return append(out, raw...)
	case r < 0x10000:
		return fmt.Appendf(out, `\u%04x`, r)
	}
	high, low := utf16.EncodeRune(r)
	return fmt.Appendf(out, `\u%04x\u%04x`, high, low)
}

// JSONWriter returns a writer of JSON to w that escapes it. Each Write has to end
// between two characters, as a document or a line of a log does.
func JSONWriter(w io.Writer) io.Writer { return jsonWriter{w} }

type jsonWriter struct{ w io.Writer }

func (j jsonWriter) Write(p []byte) (int, error) {
	escaped := JSON(p)
	if _, err := j.w.Write(escaped); err != nil {
		return 0, err
	}
	return len(p), nil
}
