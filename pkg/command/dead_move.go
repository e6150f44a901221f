// File dead_move.go exports and imports dead letters as lines of JSON.

package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"queue-worker/pkg/client"
	"queue-worker/pkg/escape"
	"queue-worker/pkg/term"
	"queue-worker/pkg/wire"
)

func newDeadExport(r *remote) *cobra.Command {
	c := command("export", "Write dead letters as lines of JSON, whole and exact", `
The lines hold everything, also headers that are secret: keep them as such. They go
to standard output, or with --file to a file that appears when it is complete and
that only its owner can read. The dead letters stay in the dead set.`, codesPlain+", 3 some dead letters could not be read by the store",
		"queue-worker dead export --file letters.ndjson", "queue-worker dead export --function figlet | gzip > figlet.ndjson.gz")
	c.Args = args(0, 0, "there are none")
	filter := newFilter(c)
	file := c.Flags().StringP("file", "f", "", "write to this file")
	c.RunE = r.run(func(ctx context.Context, s *session, _ []string) error {
		f, err := filter.filter(c)
		if err != nil {
			return err
		}
		if *file == "" {
			return s.export(ctx, f, s.Out, !s.Showing)
		}
		return whole(*file, func(w io.Writer) error { return s.export(ctx, f, w, true) })
	})
	return c
}

// export writes dead letters, and shows its progress, unless they go to the
// terminal themselves.
func (s *session) export(ctx context.Context, f client.Filter, w io.Writer, aside bool) error {
	seen := func(client.Moved) {}
	if aside {
		p := s.Volume("export", 0)
		defer p.End()
		seen = func(m client.Moved) { p.Set(m.Bytes, letters(m.Letters)) }
	}
	m, err := s.Export(ctx, f, escape.JSONWriter(w), seen)
	return s.exported(m, err)
}

func (s *session) exported(m client.Moved, err error) error {
	if err != nil {
		s.Tell("%s written", letters(m.Letters))
		return err
	}
	s.Tell("%s, %s", letters(m.Letters), term.Bytes(m.Bytes))
	if m.Unreadable > 0 {
		return partlyError{fmt.Errorf("%s could not be read by the store; their lines say so", letters(m.Unreadable))}
	}
	return nil
}

func letters(n int) string {
	if n == 1 {
		return "1 dead letter"
	}
	return fmt.Sprintf("%d dead letters", n)
}

// whole writes a file that has its name only when it is complete and on disk. A
// file that is there is not replaced.
func whole(name string, write func(io.Writer) error) error {
	if _, err := os.Lstat(name); err == nil {
		return fmt.Errorf("%s exists: choose another name, or move it away", name)
	}
	partial := name + ".partial"
	f, err := os.OpenFile(partial, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // #nosec G304 -- the user has named it
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists: another export is writing it, or left it behind; then remove it", partial)
	}
	if err != nil {
		return err
	}
	werr := write(f)
	_, partly := errors.AsType[partlyError](werr) // then it is as complete as it can be
	if err = errors.Join(f.Sync(), f.Close()); err == nil && (werr == nil || partly) {
		if err = os.Rename(partial, name); err == nil {
			return werr
		}
	}
	_ = os.Remove(partial)
	return errors.Join(werr, err)
}

func newDeadImport(r *remote) *cobra.Command {
	c := command("import [FILE]", "Import exported dead letters", `
It reads FILE, or standard input. Dead letters keep their ids; existing ones
are skipped, so an interrupted import can be repeated.`,
		"0 all lines are in, 1 failed, 2 wrong usage, 3 some lines could not be imported",
		"queue-worker dead import letters.ndjson", "gunzip < figlet.ndjson.gz | queue-worker dead import")
	c.Args = args(0, 1, "one file, or none for standard input")
	c.RunE = r.run(func(ctx context.Context, s *session, args []string) error {
		if len(args) == 0 {
			if s.Asking {
				s.Tell("reading dead letters from the terminal, until Ctrl-D")
			}
			return s.importFrom(ctx, s.In, 0)
		}
		f, err := openNamed(ctx, args[0])
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		return s.importFrom(ctx, f, f.size)
	})
	return c
}

// maxFailedShown bounds the lines that are listed one by one.
const maxFailedShown = 20

func (s *session) importFrom(ctx context.Context, r io.Reader, size int64) error {
	p := s.Volume("import", size)
	defer p.End()
	all, err := s.Import(ctx, r, func(m client.Moved) { p.Set(m.Bytes, letters(m.Letters)) })
	p.End()
	if serr := s.showImported(all); serr != nil {
		return serr
	}
	switch {
	case err != nil && all.Imported+all.Skipped > 0:
		return partlyError{err}
	case err != nil:
		return err
	case all.FailedTotal > 0:
		return partlyError{fmt.Errorf("%d lines could not be imported", all.FailedTotal)}
	}
	return nil
}

func (s *session) showImported(all wire.Imported) error {
	if s.JSON {
		return writeJSON(s.Console, all)
	}
	for i, f := range all.Failed {
		if i == maxFailedShown {
			s.Tell("and %d more", all.FailedTotal-i)
			break
		}
		s.Tell("line %d: %s", f.Line, f.Error)
	}
	return s.Say("%d imported, %d there already, %d failed", all.Imported, all.Skipped, all.FailedTotal)
}
