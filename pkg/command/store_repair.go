// File store_repair.go shows the repair of a store and what it kept and lost.

package command

import (
	"errors"
	"fmt"
	"io"

	"queue-worker/pkg/escape"
	"queue-worker/pkg/store/embedded"
	"queue-worker/pkg/term"
)

var errLost = errors.New("not everything could be kept")

func repairStore(e *env, dir, to string) error {
	if to == "" {
		return usageError{errors.New("no target given: use --to with a folder that is empty or missing")}
	}
	dir, err := e.dataDir(dir)
	if err != nil {
		return err
	}
	c := term.New(e.drain, e.Stdin, e.Stdout, e.Stderr, e.get)
	var bar *term.Progress
	step := ""
	r, err := embedded.Repair(e.drain, dir, to, func(p embedded.RepairProgress) {
		if p.Step != step {
			if step = p.Step; bar != nil {
				bar.End()
			}
			bar = c.Count(p.Step, p.Total)
			if p.Bytes {
				bar = c.Volume(p.Step, p.Total)
			}
		}
		bar.Set(p.Done, "")
	})
	if bar != nil {
		bar.End()
	}
	if err != nil {
		return err
	}
	printRepaired(e.Stdout, &r)
	if !r.Whole() {
		return partlyError{errLost}
	}
	return nil
}

// printRepaired writes what a repair has kept and lost.
func printRepaired(w io.Writer, r *embedded.Repaired) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintln(w, escape.Line(fmt.Sprintf(format, args...))) }
	say("kept: invocations %d (%d bytes), results %d, outcomes %d, idempotency keys %d, dedup records %d, notes %d",
		r.Invocations, r.Bytes, r.Results, r.Ends, r.Keys, r.Marks, r.Notes)
	for _, l := range r.Losses {
		what := l.Keys
		if what != "" {
			what = " (" + what + ")"
		}
		say("unreadable: %s%s: %s", l.File, what, l.Why)
	}
	for _, l := range r.Lost {
		say("lost: invocation %s: %s", l.ID, l.Why)
	}
	for _, x := range []struct {
		n    int
		what string
	}{
		{r.MoreLost, "more invocations, which are not listed"},
		{r.LostResults, "results: the API answers that the outcome is not known"},
		{r.LostKeys, "idempotency keys: a submission that is repeated under one of them is accepted again"},
		{r.LostMarks, "dedup records: a message that NATS Streaming delivers again may be called again"},
		{r.LostEnds, "batches of outcomes: the API answers that these invocations are not known"},
		{r.LostNotes, "notes: a pause or the progress of a job is forgotten"},
	} {
		if x.n > 0 {
			say("lost: %d %s", x.n, x.what)
		}
	}
	if r.LostSecret {
		say("lost: the secret of idempotency keys: a submission that is repeated under a kept key is refused")
	}
	if r.Whole() {
		say("everything was kept")
	} else {
		say("unreadable parts may have had invocations of which nothing is left, dedup records or idempotency keys")
	}
}
