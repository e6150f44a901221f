// File bench.go runs the rows of the table one after the other.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Time that a whole and a quick benchmark may take, and what of it disturbed runs may take again.
const (
	wholeTime  = 60 * time.Minute
	wholeSpare = 12 * time.Minute
	quickTime  = 5 * time.Minute
)

// bench is one benchmark.
type bench struct {
	options
	programs
	dir      string // where workers may keep their stores
	table    table
	begun    time.Time
	spare    time.Duration // that disturbed runs may still take
	rates    results       // of the backlog, which other rows start from
	profiles profiles
}

// row measures figures of the table.
type row struct {
	name, about string
	measure     func(*bench, context.Context) error
}

// rows are in the order in which they are measured.
func rows() []row {
	return []row{
		{"binary", "size of the binary, with and without the embedded server", (*bench).measureBinary},
		{"count", "allocations, write calls and bytes of an invocation, counted by a test", (*bench).measureCount},
		{"outcomes", "what an outcome costs that is remembered, and a look-up among as many as outcome_max_bytes allows", (*bench).measureOutcomes},
		{"backlog", "backlog of 100,000 at an outside server; CPU of an invocation; memory under load", (*bench).measureBacklog},
		{"profile", "where the CPU time of a backlog goes, in ours and in both bare loops", (*bench).measureProfile},
		{"embedded", "backlog of 100,000 at an embedded server", (*bench).measureEmbedded},
		{"sustained", "the highest arrival rate at which the queue does not grow, by bisection", (*bench).measureSustained},
		{"single", "max_inflight 1 beside the Community worker", (*bench).measureSingle},
		{"large", "bodies of 200 KB, with memory", (*bench).measureLarge},
		{"latency", "time from publish to call at 1,000/s", (*bench).measureLatency},
		{"mix", "a tenth failing once; 100 and 1,000 functions", (*bench).measureMix},
		{"quiet", "a quiet function beside 1, 10, 100 and 1,000 flooded ones", (*bench).measureQuiet},
		{"idle", "memory of an idle worker", (*bench).measureIdle},
		{"delayed", "beside 100,000 and 1,000,000 delayed: lateness of retries, memory, time until ready", (*bench).measureDelayed},
		{"due", "memory while 1,000,000 fall due in one second", (*bench).measureDue},
	}
}

// rowNames are the names for -only.
func rowNames() (names []string) {
	for _, r := range rows() {
		names = append(names, r.name)
	}
	return names
}

// chosen are the rows that -only names, or all.
func chosen(only string) ([]row, error) {
	if only == "" {
		return rows(), nil
	}
	var some []row
	for name := range strings.SplitSeq(only, ",") {
		found := false
		for _, r := range rows() {
			if r.name == name {
				some, found = append(some, r), true
			}
		}
		if !found {
			return nil, fmt.Errorf("-only: %q is not one of %s", name, strings.Join(rowNames(), ", "))
		}
	}
	return some, nil
}

// measureAll measures rows until the time is used up. A row that fails leaves its figures out,
// and the others are measured all the same.
func (b *bench) measureAll(ctx context.Context, some []row) (err error) {
	limit := wholeTime
	b.spare = wholeSpare
	if b.quick {
		limit, b.spare = quickTime, 0
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the time of %s is used up", limit))
	defer cancel()
	b.begun = time.Now()
	for _, r := range some {
		b.progress("%s: %s", r.name, r.about)
		if e := r.measure(b, ctx); e != nil {
			if ctx.Err() != nil {
				e = context.Cause(ctx)
			}
			err = errors.Join(err, fmt.Errorf("%s: %w", r.name, e))
			b.progress("%s: %v", r.name, e)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return err
}

func (b *bench) elapsed() time.Duration { return time.Since(b.begun) }

// progress writes a line with the time since the start.
func (b *bench) progress(format string, args ...any) {
	at := b.elapsed().Round(time.Second)
	fmt.Fprintf(os.Stderr, "[%02d:%02d] %s\n", int(at.Minutes()), int(at.Seconds())%60, fmt.Sprintf(format, args...))
}

// pick is the whole or the quick form of a size.
func pick[T any](b *bench, whole, quick T) T {
	if b.quick {
		return quick
	}
	return whole
}
