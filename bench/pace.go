// File pace.go measures what a function costs that accepts five calls at a time and answers 429
// beyond: how many calls each invocation takes, and how long all take.

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// pacedMessages are the invocations of one trial.
const pacedMessages = 500

// pacedIdeal is how long they take at least.
const pacedIdeal = pacedMessages * limitedCall / limitedAt

// pacedPatience is when a trial is given up. One call after the other takes five
// times the ideal.
const pacedPatience = 6 * pacedIdeal

// way is how a program goes about it.
type way struct {
	name    string
	program program
	env     []string
}

// soon are retries that come soon, and are never used up.
var soon = []string{"initial_retry_wait=1s", "max_retry_wait=10s", "max_retry_attempts=1000"}

func (b *bench) measurePace(ctx context.Context) error {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Printf("\n%d invocations of a function that accepts %d at a time, %s each, and answers 429 beyond; max_inflight %d; ideal %s\n\n",
		pacedMessages, limitedAt, limitedCall, b.inflight, pacedIdeal)
	fmt.Fprintln(t, "worker\tcalls per invocation\tanswered 429\tsucceeded\ttime\tof ideal\t")
	for _, w := range []way{
		{"ours", b.ours, soon},
		{"ours, limiter_enabled=false", b.ours, append(slices.Clone(soon), "limiter_enabled=false")},
		{"community", b.community, nil},
	} {
		got, err := b.paced(ctx, w)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		took := time.Duration(got.Last - got.First)
		more := ""
		if got.Served < pacedMessages {
			took, more = pacedPatience, "> "
		}
		fmt.Fprintf(t, "%s\t%.2f\t%d\t%d\t%s%s\t%s%.2f\t\n", w.name, float64(got.Calls)/pacedMessages, got.Pushed, got.Served,
			more, took.Round(10*time.Millisecond), more, float64(took)/float64(pacedIdeal))
	}
	return t.Flush()
}

// paced waits until all have succeeded, or patience ends.
func (b *bench) paced(ctx context.Context, w way) (got noted, err error) {
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	limited := func(i int, _ string) ([]byte, error) { return message("limited", runName, int64(i), b.body) }
	t, err := b.newTrial(ctx, w.program, w.env, pacedMessages, limited)
	if err != nil {
		return got, err
	}
	defer t.close()
	for from := time.Now(); err == nil && got.Served < pacedMessages && time.Since(from) < pacedPatience; {
		if err = t.wait(ctx, 100*time.Millisecond); err == nil {
			got, err = t.noted(ctx)
		}
	}
	return got, err
}
