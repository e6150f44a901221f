// File words.go writes numbers, lengths of time and names for readers.

package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"queue-worker/pkg/escape"
)

// Count writes a number with thousands separators.
func Count(n int) string {
	s := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, s = s[:1], s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// small are the numbers that a sentence begins with as words.
var small = [...]string{"No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"}

// Number is Count for the beginning of a sentence.
func Number(n int) string {
	if n >= 0 && n < len(small) {
		return small[n]
	}
	return Count(n)
}

// Things is a count with its noun.
func Things(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// Bytes writes a size with its unit, in steps of 1024.
func Bytes(n uint64) string {
	const step = 1024
	if n < step {
		return strconv.FormatUint(n, 10) + " B"
	}
	f, units := float64(n)/step, "KMGTPE"
	for f >= step && len(units) > 1 {
		f, units = f/step, units[1:]
	}
	if f < 10 {
		return fmt.Sprintf("%.1f %ciB", f, units[0])
	}
	return fmt.Sprintf("%.0f %ciB", f, units[0])
}

// Rate writes calls per second with at most two digits that matter below 10.
func Rate(r float64) string {
	switch {
	case r < 0.005:
		return "0"
	case r < 0.1:
		return strconv.FormatFloat(r, 'f', 2, 64)
	case r < 100:
		return strings.TrimSuffix(strconv.FormatFloat(r, 'f', 1, 64), ".0")
	}
	return Count(int(r))
}

// Length writes a length of time in at most two units. A negative one, as clocks differ,
// is 0 s.
func Length(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Millisecond:
		return "0 s"
	case d < 50*time.Millisecond:
		return fmt.Sprintf("%d ms", d/time.Millisecond)
	case d < 10*time.Second:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + " s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return units(d, time.Minute, "min", time.Second, "s")
	case d < day:
		return units(d, time.Hour, "h", time.Minute, "min")
	}
	return units(d, day, "d", time.Hour, "h")
}

// units writes a length in two units, the smaller one only when it matters.
func units(d, big time.Duration, b string, little time.Duration, l string) string {
	n, rest := d/big, d%big/little
	if rest == 0 || n >= 10 {
		return fmt.Sprintf("%d %s", n, b)
	}
	return fmt.Sprintf("%d %s %d %s", n, b, rest, l)
}

// Seconds is Length for a number of seconds.
func Seconds(s float64) string { return Length(time.Duration(s * float64(time.Second))) }

// maxText bounds a text of others in characters.
const maxText = 300

// Text makes a text of others one short line that shows what would be invisible.
func Text(s string) string {
	s = escape.Line(s)
	if r := []rune(s); len(r) > maxText {
		return string(r[:maxText]) + "…"
	}
	return s
}

// ended makes a text the end of a sentence.
func ended(s string) string {
	if s = strings.TrimRight(s, " \t"); strings.HasSuffix(s, ".") || s == "" {
		return s
	}
	return s + "."
}

// unless is a text for a claim that is false, and another for one that is true.
func unless(claim bool, no, yes string) string {
	if claim {
		return yes
	}
	return no
}
