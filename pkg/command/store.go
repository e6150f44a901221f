// File store.go has the commands that check and repair the store of a stopped worker; store_copy.go
// has the one that copies it.

package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"queue-worker/pkg/config"
	"queue-worker/pkg/escape"
	"queue-worker/pkg/store/embedded"
)

func newStore(e *env) *cobra.Command {
	c := group("store", "Check, repair and copy the store of a stopped worker", "")
	var dir, to string
	check := command("check", "Read everything in the store and report damage", `
The store of a stopped worker is opened for reading only, every invocation in it is read,
and what is written about it is compared. Nothing in the folder is changed, the lock file
included, and nothing is locked: a worker that starts meanwhile ends the check with an error.
SIGINT or SIGTERM end it at once.

A symbolic link below the folder is refused, as the worker refuses it. The folder itself may
be one.`, "0 no damage, 1 damage found or check interrupted, 2 wrong usage",
		"queue-worker store check --data-dir /data")
	check.Args = noArgs
	check.RunE = func(*cobra.Command, []string) error { return checkStore(e.drain, e, dir) }
	check.Flags().StringVar(&dir, "data-dir", "", "the store's folder (default: data_dir of the environment)")
	repair := command("repair", "Write what is readable of a damaged store to another folder", `
Invocations, results, outcomes, idempotency keys, dedup records and notes are read, and written
to an empty folder; every index is made again from them. Files that cannot be read as a whole are
read part by part. The store of the stopped worker is opened for reading only and stays as it
is. What was kept and what was lost is printed, with the id of each lost invocation, and the
result is checked.

The target needs as much free space as the store has, and three times as much where files have
to be read one by one. SIGINT or SIGTERM end the repair, and the target is empty again.`,
		"0 everything was kept, 1 there is no repaired store, 2 wrong usage, 3 something was lost",
		"queue-worker store repair --data-dir /data --to /data/repaired")
	repair.Args = noArgs
	repair.RunE = func(*cobra.Command, []string) error { return repairStore(e, dir, to) }
	repair.Flags().StringVar(&dir, "data-dir", "", "the store's folder (default: data_dir of the environment)")
	repair.Flags().StringVar(&to, "to", "", "the folder for the repaired store, empty or missing")
	c.AddCommand(check, repair, newStoreCopy(e))
	return c
}

const adviceRepair = "`queue-worker store repair --to <folder>` writes what is readable to another folder."

var errFindings = errors.New("the store is damaged")

// dataDir returns the folder that was given, or else that of the environment.
func (e *env) dataDir(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	c, err := config.Load(e.Environ)
	if err != nil {
		return "", usageError{err}
	}
	if c.DataDir == "" {
		return "", usageError{errors.New("no folder given: use --data-dir, or set data_dir")}
	}
	return c.DataDir, nil
}

func checkStore(ctx context.Context, e *env, dir string) error {
	dir, err := e.dataDir(dir)
	if err != nil {
		return err
	}
	if strings.HasPrefix(dir, "~/") {
		return usageError{errors.New("--data-dir " + dir + ": only shells replace the ~, write the whole path")}
	}
	report, err := embedded.Check(ctx, dir, func(what string) { _, _ = fmt.Fprintf(e.Stderr, "checking: %s\n", what) })
	if err != nil {
		return err
	}
	return printReport(e.Stdout, report)
}

// printReport writes what a check has found, and returns errFindings when it is
// anything.
func printReport(w io.Writer, r embedded.Report) error {
	_, _ = fmt.Fprintf(w, "invocations %d (%d bytes): ready %d, delayed %d, dead %d; in flight %d; dedup records %d; tables %d\n",
		r.Invocations, r.Bytes, r.Ready, r.Delayed, r.Dead, r.InFlight, r.Marks, r.Tables)
	_, _ = fmt.Fprintf(w, "results %d (%d bytes); outcomes %d; idempotency keys %d; notes %d\n", r.Results, r.ResultBytes, r.Ends, r.Keys, r.Notes)
	for _, f := range r.Findings {
		_, _ = fmt.Fprintf(w, "found: %s\n", escape.Line(f))
	}
	if r.More > 0 {
		_, _ = fmt.Fprintf(w, "found: %d more\n", r.More)
	}
	if !r.OK() {
		_, _ = fmt.Fprintln(w, "advice: "+adviceRepair)
		return errFindings
	}
	_, _ = fmt.Fprintln(w, "all is well")
	return nil
}
