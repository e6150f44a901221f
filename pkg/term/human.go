// File human.go formats numbers and times, short for terminals and whole for scripts.

package term

import (
	"fmt"
	"strconv"
	"time"
)

// Number is a cell with a number.
func Number[N ~int | ~int64](n N) Cell { return Text(strconv.FormatInt(int64(n), 10)) }

// Size is a cell with a number of bytes.
func Size(n int64) Cell { return Cell{Bytes(n), strconv.FormatInt(n, 10)} }

// Bytes writes a number of bytes with its unit, in steps of 1024.
func Bytes(n int64) string {
	const step = 1024
	if n < step {
		return strconv.FormatInt(n, 10) + " B"
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

// Since is a cell with a time that has passed, as an age for terminals.
func (c *Console) Since(t time.Time) Cell {
	if t.IsZero() {
		return Cell{}
	}
	return Cell{Ago(c.now().Sub(t)), Stamp(t)}
}

// Until is a cell with a time to come.
func (c *Console) Until(t time.Time) Cell {
	if t.IsZero() {
		return Cell{}
	}
	if d := t.Sub(c.now()); d > 0 {
		return Cell{"in " + Length(d), Stamp(t)}
	}
	return Cell{"now", Stamp(t)}
}

// At is a cell with a time of day and its age.
func (c *Console) At(t time.Time) Cell {
	if t.IsZero() {
		return Cell{}
	}
	return Cell{fmt.Sprintf("%s (%s ago)", t.UTC().Format(time.DateTime+" MST"), Ago(c.now().Sub(t))), Stamp(t)}
}

// Stamp writes a time for scripts.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// Ago is an age. One in the future, as clocks differ, is 0s.
func Ago(d time.Duration) string { return Length(max(d, 0)) }

// Length writes a length of time in at most two units.
func Length(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return two(d, time.Minute, "m", time.Second, "s")
	case d < day:
		return two(d, time.Hour, "h", time.Minute, "m")
	}
	return two(d, day, "d", time.Hour, "h")
}

// two writes a length in two units, the second one only when it is there and
// matters beside the first.
func two(d, big time.Duration, b string, small time.Duration, s string) string {
	n, rest := d/big, d%big/small
	if rest == 0 || n >= 10 {
		return fmt.Sprintf("%d%s", n, b)
	}
	return fmt.Sprintf("%d%s%d%s", n, b, rest, s)
}

// Seconds writes a length that is given as a number of seconds.
func Seconds(s float64) string { return Length(time.Duration(s * float64(time.Second))) }
