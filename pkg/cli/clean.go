package cli

// Texts of others, made harmless.

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Clean makes a text one line that can be shown anywhere: what controls a
// terminal, breaks a line, is invisible, turns the direction of writing or is no
// UTF-8 is written as an escape, \x1b for example.
func Clean(s string) string {
	if clean(s, isHarmless) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		writeClean(&b, r, s[:n], isHarmless)
		s = s[n:]
	}
	return b.String()
}

// CleanLines is Clean for a text that may have line ends and tabs.
func CleanLines(s string) string {
	var b strings.Builder
	c := &cleaner{w: &b}
	_, _ = c.Write([]byte(s)) // a strings.Builder takes everything
	c.flush()
	return b.String()
}

func clean(s string, harmless func(rune) bool) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !harmless(r) })
}

// isHarmless reports whether a character only shows itself. Of format characters
// (Unicode Cf) none does, and neither do the separators of lines and paragraphs.
func isHarmless(r rune) bool {
	return unicode.IsGraphic(r) && r != '\u2028' && r != '\u2029'
}

func isHarmlessInLines(r rune) bool { return r == '\n' || r == '\t' || isHarmless(r) }

// writeClean writes one character, raw being its bytes.
func writeClean(b *strings.Builder, r rune, raw string, harmless func(rune) bool) {
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

// jsonCleaner cleans JSON, whose strings are all that can hold anything harmful.
type jsonCleaner struct{ w io.Writer }

func (j jsonCleaner) Write(p []byte) (int, error) {
	var b strings.Builder
	for left := string(p); len(left) > 0; {
		r, n := utf8.DecodeRuneInString(left)
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\ufffd`) // as every reader of JSON has it
		case isHarmlessInLines(r):
			b.WriteString(left[:n])
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
		left = left[n:]
	}
	if _, err := io.WriteString(j.w, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// cleaner cleans a stream, except for line ends and tabs.
type cleaner struct {
	w    io.Writer
	part []byte // the beginning of a character whose end has not come
}

func (c *cleaner) Write(p []byte) (int, error) {
	s := string(append(c.part, p...))
	c.part = nil
	var b strings.Builder
	for len(s) > 0 {
		if !utf8.FullRuneInString(s) {
			c.part = []byte(s)
			break
		}
		r, n := utf8.DecodeRuneInString(s)
		writeClean(&b, r, s[:n], isHarmlessInLines)
		s = s[n:]
	}
	if _, err := io.WriteString(c.w, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// flush writes what never got its end.
func (c *cleaner) flush() {
	for _, b := range c.part {
		_, _ = fmt.Fprintf(c.w, `\x%02x`, b)
	}
	c.part = nil
}
