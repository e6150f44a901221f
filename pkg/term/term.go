// Package term writes the output of commands for terminals and scripts: tables, records
// with fields, progress of long work, questions. It knows no command and no server.
//
// A terminal gets tables with headings, short ages, colours and bars. Anything else gets
// one line a row, tab separated, with whole values and nothing that moves. All untrusted
// text passes escape, so that no function name, header or body can move the cursor.
package term

import (
	"context"
	"fmt"
	"io"
	"os"
	"reflect"
	"time"

	"golang.org/x/term"

	"queue-worker/pkg/escape"
)

// Console is where a command reads and writes.
type Console struct {
	In       io.Reader
	Out, Err io.Writer
	// JSON asks for the server's answers as they are, for scripts.
	JSON bool
	// Asking, Showing and Telling report whether a terminal is at the other end of
	// In, Out and Err.
	Asking, Showing, Telling bool
	// Color allows colours on terminals.
	Color bool
	now   func() time.Time
}

// New looks at what is at the ends. Reading from In ends with ctx. environ decides
// about colours, by NO_COLOR and TERM.
func New(ctx context.Context, in io.Reader, out, err io.Writer, environ func(string) string) *Console {
	c := &Console{
		In: Until(ctx, in), Out: out, Err: err, now: time.Now,
		Asking: IsTerminal(in), Showing: IsTerminal(out), Telling: IsTerminal(err),
	}
	c.Color = environ("NO_COLOR") == "" && environ("TERM") != "dumb"
	return c
}

// IsTerminal reports whether a reader or writer is a terminal.
func IsTerminal(end any) bool {
	f, ok := end.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) // #nosec G115 -- a file descriptor is small
}

// width is how many columns the terminal of Out has, 0 when that is not known.
func (c *Console) width() int {
	f, ok := c.Out.(*os.File)
	if !ok {
		return 0
	}
	w, _, err := term.GetSize(int(f.Fd())) // #nosec G115 -- a file descriptor is small
	if err != nil {
		return 0
	}
	return w
}

// Say writes a line to Out. Its arguments are cleaned.
func (c *Console) Say(format string, args ...any) error {
	_, err := fmt.Fprintf(c.Out, format+"\n", cleaned(args)...)
	return err
}

// Tell writes a line to Err, where it does not mix with what scripts read. Its
// arguments are cleaned.
func (c *Console) Tell(format string, args ...any) {
	_, _ = fmt.Fprintf(c.Err, format+"\n", cleaned(args)...)
}

// Document writes JSON of the server.
func (c *Console) Document(raw []byte) error {
	if n := len(raw); n == 0 || raw[n-1] != '\n' {
		raw = append(raw[:n:n], '\n')
	}
	_, err := c.Documents().Write(raw)
	return err
}

// Documents returns a writer to Out for JSON, whole documents at a time. What a
// script writes to a file ends on a terminal too, so JSON is always escaped, which
// keeps its value.
func (c *Console) Documents() io.Writer { return escape.JSONWriter(c.Out) }

// Body writes bytes to Out that others have made. On a terminal everything but line
// ends and tabs is cleaned; a script gets them as they are.
func (c *Console) Body(r io.Reader) error {
	if !c.Showing {
		_, err := io.Copy(c.Out, r)
		return err
	}
	to := escape.NewWriter(c.Out)
	_, err := io.Copy(to, r)
	to.Flush()
	return err
}

// OnErr is the same console with everything that is shown going to Err, for what
// accompanies an act and is not its result.
func (c *Console) OnErr() *Console {
	other := *c
	other.Out, other.Showing = c.Err, c.Telling
	return &other
}

func cleaned(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case string:
			a = escape.Line(v)
		case error:
			a = escape.Lines(v.Error())
		case fmt.Stringer:
			a = escape.Line(v.String())
		default:
			if v := reflect.ValueOf(a); v.Kind() == reflect.String {
				a = escape.Line(v.String())
			}
		}
		out[i] = a
	}
	return out
}
