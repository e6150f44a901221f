// File listing.go prints listings page by page, and fields that several commands share.

package command

import (
	"errors"
	"fmt"

	"queue-worker/pkg/term"
	"queue-worker/pkg/wire"
)

var errLimit = errors.New("--limit: expected a whole number from 1")

// listing shows pages as they come: as documents or lines at once, as one table
// in the end.
type listing struct {
	s       *session
	columns []term.Column
	rows    [][]term.Cell
	seen    int
}

// page shows a page of n items.
func (l *listing) page(raw []byte, n int, row func(i int) []term.Cell) error {
	l.seen += n
	if l.s.JSON {
		return l.s.Document(raw)
	}
	for i := range n {
		l.rows = append(l.rows, row(i))
	}
	if l.s.Showing && len(l.rows) < tableRows {
		return nil
	}
	rows := l.rows
	l.rows = nil
	return l.s.Table(l.columns, rows)
}

// tableRows is after how many rows a table ends and another one begins, so that a
// listing of everything needs no more memory than that.
const tableRows = 5000

// end shows the table, and says what else there is to know.
func (l *listing) end(nothing string, more bool, note string) error {
	if !l.s.JSON {
		if err := l.s.Table(l.columns, l.rows); err != nil {
			return err
		}
	}
	switch {
	case more:
		l.s.Tell("there are more than these %d: --limit N, or --all", l.seen)
	case l.seen == 0:
		l.s.Tell("%s", nothing)
	}
	if note != "" {
		l.s.Tell("%s", note)
	}
	return nil
}

// attemptFields are the attempts of an invocation, one field each.
func attemptFields(s *session, attempts []wire.Attempt, omitted int) []term.Field {
	var fields []term.Field
	for i, a := range attempts {
		what := fmt.Sprintf("%s, %s", statusText(a.Status, a.Cause), term.Seconds(a.Duration))
		fields = append(fields, term.Field{Name: "attempt", Value: term.Cell{
			Short: s.At(a.At).Short + ", " + what, Long: term.Stamp(a.At) + ", " + what,
		}})
		if omitted > 0 && i == len(attempts)/2-1 {
			fields = append(fields, term.Field{Name: "attempt", Value: term.Text(fmt.Sprintf("... %d more", omitted))})
		}
	}
	return fields
}

// statusText is a status, or why there is none.
func statusText(status int, cause string) string {
	switch {
	case status == 0 && cause == "":
		return "no answer"
	case status == 0:
		return cause
	case cause == "":
		return fmt.Sprint(status)
	}
	return fmt.Sprintf("%d %s", status, cause)
}
