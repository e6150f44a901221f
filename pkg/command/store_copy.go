// File store_copy.go copies a store to another one, of the same engine or of another.

package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"queue-worker/pkg/config"
	"queue-worker/pkg/datadir"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
	"queue-worker/pkg/store/postgres"
	"queue-worker/pkg/term"
	"queue-worker/pkg/transfer"
)

func newStoreCopy(e *env) *cobra.Command {
	var from, to string
	var keep bool
	c := command("copy", "Copy a store to another one, also to or from PostgreSQL", `
Invocations in every state, dead letters, callbacks, idempotency keys, dedup records, results,
outcomes, pauses and jobs are copied. Each of --from and --to is a data_dir, a URL of PostgreSQL
without a password, or a file that holds such a URL, with a password where one is needed.
No worker may use either of them. The target has to be empty.

A copy that was ended, by SIGINT or a kill, continues when the same command runs again. At the
end both stores are counted and digested, and compared. From then on a worker refuses the source,
unless --keep-source is given: what is in it would be called again.`,
		"0 copied and equal, 1 not copied, 2 wrong usage, 3 source and target differ",
		"queue-worker store copy --from /data --to /run/secrets/postgres/url",
		"queue-worker store copy --from postgres://queue-worker@postgres/queue --to /data")
	c.Args = noArgs
	c.RunE = func(*cobra.Command, []string) error { return copyStore(e, from, to, keep) }
	c.Flags().StringVar(&from, "from", "", "the store that is copied")
	c.Flags().StringVar(&to, "to", "", "the store that it is copied to")
	c.Flags().BoolVar(&keep, "keep-source", false, "let workers use the source afterwards, such as for a trial")
	return c
}

func copyStore(e *env, from, to string, keep bool) error {
	if from == "" || to == "" {
		return usageError{errors.New("--from and --to are needed: a data_dir, a URL of PostgreSQL, or a file that holds one")}
	}
	source, err := openPlace(e.drain, from, true)
	if err != nil {
		return placeError("--from", from, err)
	}
	defer func() { _ = source.Close() }()
	target, err := openPlace(e.drain, to, false)
	if err != nil {
		return placeError("--to", to, err)
	}
	defer func() { _ = target.Close() }()
	warnOfMessages(e, from)
	return copyOpen(e, source, target, keep)
}

// copyOpen copies between two stores that are open, and shows what came of it.
func copyOpen(e *env, source, target store.Store, keep bool) error {
	c := term.New(e.drain, e.Stdin, e.Stdout, e.Stderr, e.get)
	steps := stepBar{c: c}
	report, err := transfer.Copy(e.drain, source, target, transfer.Options{KeepSource: keep, Progress: steps.show})
	steps.end()
	if err != nil && !errors.Is(err, transfer.ErrDiffers) {
		if e.drain.Err() != nil {
			return errors.New("interrupted: run the same command again to continue")
		}
		return err
	}
	if terr := c.Table(copyColumns, copyRows(report)); terr != nil {
		return terr
	}
	if err != nil {
		return partlyError{fmt.Errorf("%w: one of them was used since the copy began, or is damaged; copy again to an empty target", err)}
	}
	c.Tell("everything was copied")
	return nil
}

// stepBar shows the progress of one step after another.
type stepBar struct {
	c    *term.Console
	bar  *term.Progress
	step string
}

func (b *stepBar) show(step string, items int64) {
	if step != b.step {
		b.end()
		b.step, b.bar = step, b.c.Count(step, 0)
	}
	b.bar.Set(items, "")
}

func (b *stepBar) end() {
	if b.bar != nil {
		b.bar.End()
	}
}

var copyColumns = []term.Column{
	{Title: "KIND"}, {Title: "SOURCE", Number: true}, {Title: "TARGET", Number: true}, {Title: "BYTES", Number: true}, {Title: "DIGEST"}, {Title: "RESULT"},
}

func copyRows(r transfer.Report) (rows [][]term.Cell) {
	for _, l := range r {
		result := "equal"
		if l.Source != l.Target {
			result = "differs"
		}
		digest := l.Target.Digest.String()
		rows = append(rows, []term.Cell{
			term.Text(l.Kind), term.Text(fmt.Sprint(l.Source.Items)), term.Text(fmt.Sprint(l.Target.Items)), term.Text(fmt.Sprint(l.Target.Bytes)),
			{Short: digest[:12], Long: digest}, term.Text(result),
		})
	}
	return rows
}

// warnOfMessages says what a data_dir has that is no part of its store.
func warnOfMessages(e *env, dir string) {
	if _, err := os.Stat(filepath.Join(dir, datadir.Stan)); err == nil {
		_, _ = fmt.Fprintf(e.Stderr, "note: the messages of embedded NATS Streaming in %s are not copied; stop a worker only when queue_worker_pending_messages is 0\n", dir)
	}
}

// openPlace opens a store for a copy: nothing in it expires meanwhile.
func openPlace(ctx context.Context, place string, exists bool) (store.Store, error) {
	url, isURL, err := config.DatabaseOf(place)
	switch {
	case err != nil:
		return nil, usageError{err}
	case isURL:
		return openDatabase(ctx, url)
	}
	if _, err := os.Stat(filepath.Join(place, datadir.Store)); exists && errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("no store is in this folder")
	}
	s, err := embedded.Open(embedded.Options{Dir: place, EndTTL: math.MaxInt64})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// reachTimeout is how long a database may take to answer. A worker would wait for ever.
const reachTimeout = 10 * time.Second

func openDatabase(ctx context.Context, url string) (store.Store, error) {
	asked, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if _, err := postgres.Inspect(asked, url); err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", err)
	}
	host, _ := os.Hostname() // without it the session has a shorter name
	s, err := postgres.Open(ctx, postgres.Options{URL: url, Name: "store copy on " + host, EndTTL: math.MaxInt64})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// placeError says which of the two places an error is of, and what to do. A place that is a URL is
// not shown: a password may be in it, although it is refused.
func placeError(flag, place string, err error) error {
	if l, ok := errors.AsType[*store.LockedError](err); ok {
		err = fmt.Errorf("%w: stop the worker that uses it", l)
	}
	if strings.Contains(place, "://") {
		return fmt.Errorf("%s: %w", flag, err)
	}
	return fmt.Errorf("%s %s: %w", flag, place, err)
}
