// File table.go has the figures with their goals, and prints the table.

package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// notMeasured stands where a figure is missing. It is never 0.
const notMeasured = "not measured"

// figure is a line of the table.
type figure struct {
	row, key, name, goal string // row measures it
	value                string // "" until it is measured
	met                  bool
	beside               string // what the value was computed from, or is compared with
	note                 string
	costs                costs
}

// table is all figures in their order.
type table []*figure

// newTable has no figure measured.
func newTable() table {
	line := func(row, key, name, goal string) *figure {
		return &figure{row: row, key: key, name: name, goal: goal, costs: unknown()}
	}
	return table{
		line("sustained", "sustained.bare", "sustained rate, of the bare loop on net/http", "at least 1.0"),
		line("sustained", "sustained.client", "sustained rate, of the bare loop on our client", "at least 0.8"),
		line("sustained", "sustained.community", "sustained rate, of Community", "12 to 15"),
		line("backlog", "backlog", "backlog, outside server, of the bare loop", "at least 0.8"),
		line("embedded", "embedded", "backlog, embedded server, of the bare loop with one of its own", "at least 0.95"),
		line("backlog", "cpu.bare", "CPU of an invocation beyond the bare loop on net/http", "at most 0 us"),
		line("backlog", "cpu.client", "CPU of an invocation beyond the bare loop on our client", "at most 45 us"),
		line("count", "count.allocations", "allocations of an invocation, counted by a test", "at most 60"),
		line("count", "count.writes", "write calls of an invocation, counted by a test", "at most 1.5"),
		line("count", "count.bytes", "bytes to disk of an invocation, counted by a test", "at most 2,048"),
		line("outcomes", "outcomes.bytes", "bytes of a remembered outcome, in the store", "at most 150"),
		line("outcomes", "outcomes.cpu", "us to add it to its batch", "at most 2"),
		line("outcomes", "outcomes.find", "ms to look up an unknown call id among 256 MiB of them", "at most 100"),
		line("single", "single", "max_inflight 1, of Community", "at least 1.0"),
		line("large", "large", "bodies of 200 KB, max_inflight 32, of the bare loop", "at least 0.7"),
		line("large", "large.memory", "memory with bodies of 200 KB", ""),
		line("latency", "latency.p50", "publish to call at 1,000/s, p50, of the bare loop", "at most 2.0"),
		line("latency", "latency.p99", "publish to call at 1,000/s, p99, of the bare loop", "at most 2.0"),
		line("mix", "mix.fail", "a tenth failing once, of none failing", "at least 0.8"),
		line("mix", "mix.100", "100 functions, of one", "at least 0.8"),
		line("mix", "mix.1000", "1,000 functions, of one", "at least 0.5"),
		line("quiet", "quiet.1", "quiet function beside 1 flooded, p99", "at most 15 ms"),
		line("quiet", "quiet.10", "quiet function beside 10 flooded, p99", "at most 15 ms"),
		line("quiet", "quiet.100", "quiet function beside 100 flooded, p99", "at most 15 ms"),
		line("quiet", "quiet.1000", "quiet function beside 1,000 flooded, p99", "at most 25 ms"),
		line("delayed", "late.100000", "lateness of retries beside 100,000 delayed, p99", "below 50 ms, none early"),
		line("delayed", "late.1000000", "lateness of retries beside 1,000,000 delayed, p99", "below 50 ms, none early"),
		line("idle", "memory.idle", "memory, idle", "at most 32 MB"),
		line("backlog", "memory.load", "memory under the load of the backlog, at most", "at most 80 MB"),
		line("delayed", "memory.delayed", "memory with 1,000,000 delayed", "at most 96 MB"),
		line("due", "memory.due", "memory with 1,000,000 due in one second, at most", "at most 128 MB"),
		line("delayed", "ready", "ready with 1,000,000 delayed", "at most 0.5 s"),
		line("binary", "binary", "size of the binary", "at most 36 MB"),
		line("binary", "binary.nostan", "size of the binary without the embedded server", ""),
	}
}

// of keeps the figures of some rows.
func (t table) of(some []row) (kept table) {
	for _, f := range t {
		if slices.ContainsFunc(some, func(r row) bool { return r.name == f.row }) {
			kept = append(kept, f)
		}
	}
	return kept
}

func unknown() costs {
	n := math.NaN()
	return costs{n, n, n, n, n, n, n}
}

// set fills a figure. A value that is no number stays unmeasured.
func (t table) set(key string, value float64, format string, met bool) *figure {
	for _, f := range t {
		if f.key == key {
			if !math.IsNaN(value) && !math.IsInf(value, 0) {
				f.value, f.met = fmt.Sprintf(format, value), met
			}
			return f
		}
	}
	panic("bench: no figure " + key)
}

// columns are the headings of the table.
var columns = []string{"figure", "measured", "goal", "met", "from", "CPU us", "allocations", "allocated KB", "writes", "disk bytes", "peak MB", "others' CPU us", "note"}

// cells are those of one line.
func (f *figure) cells() []string {
	value, met := notMeasured, "-"
	if f.value != "" {
		value = f.value
		switch {
		case f.goal == "":
		case f.met:
			met = "yes"
		default:
			met = "no"
		}
	}
	return append([]string{f.name, value, orDash(f.goal), met, orDash(f.beside)}, append(f.costs.cells(), orDash(f.note))...)
}

func (c costs) cells() []string {
	return []string{
		shown("%.1f", c.cpu), shown("%.1f", c.mallocs), shown("%.1f", c.allocated/1e3), shown("%.2f", c.writes),
		shown("%.0f", c.written), shown("%.0f", c.peak/1e6), shown("%.1f", c.others),
	}
}

func shown(format string, v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func sentence(parts []string) string { return strings.Join(parts, "; ") }

// print writes the table for a terminal.
func (t table) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(columns, "\t"))
	for _, f := range t {
		fmt.Fprintln(tw, strings.Join(f.cells(), "\t"))
	}
	return tw.Flush()
}

// markdown is the table for a page.
func (t table) markdown() string {
	var b strings.Builder
	row := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	row(columns)
	row(slicesOf("---", len(columns)))
	for _, f := range t {
		row(f.cells())
	}
	return b.String()
}

func slicesOf(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}
