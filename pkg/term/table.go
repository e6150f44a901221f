// File table.go writes tables, and records with their fields.

package term

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"queue-worker/pkg/escape"
)

// Column is a column of a table.
type Column struct {
	Title string
	// Number is set to the right.
	Number bool
	// Wide may be cut when a terminal is too narrow, and Spare left out; a script
	// always gets everything.
	Wide, Spare bool
}

// Cell is a value of a table: Short for terminals, Long for scripts.
type Cell struct{ Short, Long string }

// Text is a cell that is the same for both.
func Text(s string) Cell { return Cell{s, s} }

// Table writes rows under columns: as a table for a terminal, tab separated and
// without headings for a script.
func (c *Console) Table(columns []Column, rows [][]Cell) error {
	if !c.Showing {
		return c.lines(rows)
	}
	if len(rows) == 0 {
		return nil
	}
	columns, rows = fitting(c.width(), columns, rows)
	t := c.newTable()
	t.AppendHeader(c.titles(columns))
	configs := make([]table.ColumnConfig, len(columns))
	for i, col := range columns {
		configs[i] = table.ColumnConfig{Number: i + 1}
		if col.Number {
			configs[i].Align, configs[i].AlignHeader = text.AlignRight, text.AlignRight
		}
	}
	cutWide(c.width(), columns, rows, configs)
	t.SetColumnConfigs(configs)
	for _, cells := range rows {
		row := make(table.Row, len(cells))
		for i, cell := range cells {
			row[i] = escape.Line(cell.Short)
		}
		t.AppendRow(row)
	}
	_, err := fmt.Fprintln(c.Out, t.Render())
	return err
}

// newTable is a table without lines, as kubectl has them.
func (c *Console) newTable() table.Writer {
	t := table.NewWriter()
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	return t
}

// gap is what stands between two columns.
const gap = 2

// leastWide is what a column that may be cut keeps at least.
const leastWide = 12

// widths are those that the columns want.
func widths(columns []Column, rows [][]Cell) []int {
	widest := make([]int, len(columns))
	for i, col := range columns {
		widest[i] = text.StringWidthWithoutEscSequences(col.Title)
		for _, row := range rows {
			widest[i] = max(widest[i], text.StringWidthWithoutEscSequences(escape.Line(row[i].Short)))
		}
	}
	return widest
}

// fitting leaves out spare columns, the last ones first, until a line fits. A width
// of 0 is not known, and everything stays.
func fitting(width int, columns []Column, rows [][]Cell) ([]Column, [][]Cell) {
	columns, rows = slices.Clone(columns), slices.Clone(rows)
	for i := len(columns) - 1; i >= 0 && width > 0 && least(columns, rows) > width; i-- {
		if !columns[i].Spare {
			continue
		}
		columns = slices.Delete(columns, i, i+1)
		for n, row := range rows {
			rows[n] = slices.Delete(slices.Clone(row), i, i+1)
		}
	}
	return columns, rows
}

// least is how wide a line is at the least.
func least(columns []Column, rows [][]Cell) int {
	sum := 0
	for i, w := range widths(columns, rows) {
		if columns[i].Wide {
			w = min(w, leastWide)
		}
		sum += w + gap
	}
	return sum - gap
}

// cutWide gives the columns that may be cut what the others leave of a line. A
// width of 0 is not known, and nothing is cut.
func cutWide(width int, columns []Column, rows [][]Cell, configs []table.ColumnConfig) {
	if width == 0 {
		return
	}
	widest, left, wide := widths(columns, rows), width+gap, 0
	for i, col := range columns {
		left -= gap
		if col.Wide {
			wide++
			continue
		}
		left -= widest[i]
	}
	for i, col := range columns {
		if !col.Wide {
			continue
		}
		share := max(left/wide, leastWide)
		wide--
		if widest[i] > share {
			configs[i].WidthMax, configs[i].WidthMaxEnforcer = share, snip
			left -= share
			continue
		}
		left -= widest[i]
	}
}

func snip(s string, width int) string { return text.Snip(s, width, "…") }

func (c *Console) titles(columns []Column) table.Row {
	row := make(table.Row, len(columns))
	for i, col := range columns {
		row[i] = c.Bold(strings.ToUpper(col.Title))
	}
	return row
}

// lines writes rows tab separated.
func (c *Console) lines(rows [][]Cell) error {
	for _, cells := range rows {
		texts := make([]string, len(cells))
		for i, cell := range cells {
			texts[i] = escape.Line(cell.Long)
		}
		if _, err := fmt.Fprintln(c.Out, strings.Join(texts, "\t")); err != nil {
			return err
		}
	}
	return nil
}

// Field is a named value of a single thing.
type Field struct {
	Name  string
	Value Cell
}

// Fields writes a single thing, one field a line. Fields whose value is empty are
// left out on a terminal, and kept for a script, which may look for them by line.
func (c *Console) Fields(fields []Field) error {
	if !c.Showing {
		rows := make([][]Cell, len(fields))
		for i, f := range fields {
			rows[i] = []Cell{Text(f.Name), f.Value}
		}
		return c.lines(rows)
	}
	t := c.newTable()
	for _, f := range fields {
		if f.Value.Short != "" {
			t.AppendRow(table.Row{c.Bold(f.Name), escape.Line(f.Value.Short)})
		}
	}
	_, err := fmt.Fprintln(c.Out, t.Render())
	return err
}

// Bold and the like mark a text that is ours, where colours are allowed.
func (c *Console) Bold(s string) string { return c.paint(text.Bold, s) }

// Good is for what is as it should be.
func (c *Console) Good(s string) string { return c.paint(text.FgGreen, s) }

// Doubtful is for what an operator should check.
func (c *Console) Doubtful(s string) string { return c.paint(text.FgYellow, s) }

// Wrong is for what has to be put right.
func (c *Console) Wrong(s string) string { return c.paint(text.FgRed, s) }

func (c *Console) paint(color text.Color, s string) string {
	if !c.Color || !c.Showing {
		return s
	}
	return color.EscapeSeq() + s + text.Reset.EscapeSeq()
}

// Marked writes a line of words in columns, the first one painted. Only the last
// may be long.
func (c *Console) Marked(paint func(string) string, mark, what, text string) error {
	_, err := fmt.Fprintf(c.Out, "%s  %-11s  %s\n", paint(fmt.Sprintf("%-4s", mark)), what, text)
	return err
}
