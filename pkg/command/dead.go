// File dead.go lists, groups and shows dead letters.

package command

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"queue-worker/pkg/client"
	"queue-worker/pkg/term"
	"queue-worker/pkg/wire"
)

func newDead(e *env) *cobra.Command {
	c := group("dead", "List, show, replay and drop dead letters", `
A dead letter is an invocation that was given up: its retries are used up, or its
status is not retried. It stays until it is replayed, dropped, or taken by
dead_set_max_age or dead_set_max_bytes.`)
	r := newRemote(e, c)
	c.AddCommand(newDeadList(r), newDeadGroups(r), newDeadShow(r), newDeadReplay(r), newDeadDrop(r), newDeadExport(r), newDeadImport(r))
	return c
}

// defaultRows is how many rows a listing has by default.
const defaultRows = 50

func newDeadList(r *remote) *cobra.Command {
	c := command("ls", "List dead letters, oldest or newest first", `
Not on a terminal, the columns are tab separated and have no headings: id, function,
reason, status, time of death, queue, retries, replays, call id.
With -o json there is one document a page, as the worker has answered it.`, codesPlain,
		"queue-worker dead ls", "queue-worker dead ls --newest --limit 10", "queue-worker dead ls --function figlet --status 5xx --since 2h",
		"queue-worker dead ls --all -o json | jq -r '.messages[].id'")
	c.Args = args(0, 0, "there are none")
	filter := newFilter(c)
	limit, all := addLimit(c)
	order := c.Flags().String("order", "oldest", "oldest or newest first")
	newest := c.Flags().Bool("newest", false, "newest first, like --order newest")
	c.RunE = r.run(func(ctx context.Context, s *session, _ []string) error {
		f, err := filter.filter(c)
		if err != nil {
			return err
		}
		if *newest {
			if c.Flags().Changed("order") && *order != "newest" {
				return usageError{fmt.Errorf("--newest and --order %s exclude each other", *order)}
			}
			*order = "newest"
		}
		read := map[string]letterReader{"oldest": s.Letters, "newest": s.Newest}[*order]
		if read == nil {
			return usageError{fmt.Errorf("--order %q: expected oldest or newest", *order)}
		}
		return s.listLetters(read(ctx, f, rows(*limit, *all)), noLetter(f))
	})
	return c
}

// letterReader reads the pages of a listing.
type letterReader func(context.Context, client.Filter, int) iter.Seq2[*client.LetterPage, error]

// addLimit adds the flags that say how much is listed.
func addLimit(c *cobra.Command) (limit *int, all *bool) {
	limit = c.Flags().Int("limit", defaultRows, "list at most this many")
	all = c.Flags().Bool("all", false, "list all")
	c.PreRunE = func(*cobra.Command, []string) error {
		if *limit < 1 {
			return usageError{errLimit}
		}
		return nil
	}
	return limit, all
}

// rows is a limit as the client has it, 0 for none.
func rows(limit int, all bool) int {
	if all {
		return 0
	}
	return limit
}

var letterColumns = []term.Column{
	{Title: "id"}, {Title: "function", Wide: true}, {Title: "reason"}, {Title: "status", Number: true}, {Title: "died", Spare: true},
	{Title: "queue", Wide: true, Spare: true}, {Title: "retries", Number: true, Spare: true}, {Title: "replays", Number: true, Spare: true},
	{Title: "call id", Wide: true, Spare: true},
}

func (s *session) listLetters(pages iter.Seq2[*client.LetterPage, error], nothing string) error {
	more, note := false, ""
	l := listing{s: s, columns: letterColumns}
	for page, err := range pages {
		if err != nil {
			return err
		}
		more, note = page.Next != "", page.Note
		if err := l.page(page.JSON(), len(page.Letters), func(i int) []term.Cell { return s.letterRow(&page.Letters[i]) }); err != nil {
			return err
		}
	}
	return l.end(nothing, more, note)
}

// noLetter says that a listing has nothing.
func noLetter(f client.Filter) string {
	if f.IsZero() {
		return "the dead set is empty"
	}
	return "no such dead letter"
}

func (s *session) letterRow(l *wire.Letter) []term.Cell {
	ago := s.Since(l.Died)
	if ago.Short != "" {
		ago.Short += " ago"
	}
	return []term.Cell{
		term.Text(l.ID), term.Text(l.Topic), term.Text(l.Reason), status(l.Status), ago, term.Text(l.Queue),
		term.Number(l.Retries), term.Number(l.Replays), term.Text(l.CallID),
	}
}

// status is a cell with a status; there is none when no answer came.
func status(n int) term.Cell {
	if n == 0 {
		return term.Cell{Short: "-", Long: "0"}
	}
	return term.Number(n)
}

// numberAbove0 is a cell with a number; 0 stands for none.
func numberAbove0(n int) term.Cell {
	if n == 0 {
		return term.Text("")
	}
	return term.Number(n)
}

// superseded is a cell that says so of a callback of an outcome before a replay.
func superseded(is bool) term.Cell {
	if !is {
		return term.Text("")
	}
	return term.Cell{Short: "by a replay of its origin: its replay needs --force", Long: "true"}
}

func newDeadGroups(r *remote) *cobra.Command {
	c := command("groups", "Count dead letters by function, queue, reason and status, the largest group first", `
Not on a terminal, the columns are tab separated and have no headings: count, bytes,
function, queue, reason, status, first and last time of death.`, codesPlain,
		"queue-worker dead groups", "queue-worker dead groups --since 24h -o json")
	c.Args = args(0, 0, "there are none")
	filter := newFilter(c)
	c.RunE = r.run(func(ctx context.Context, s *session, _ []string) error {
		f, err := filter.filter(c)
		if err != nil {
			return err
		}
		g, err := s.Groups(ctx, f)
		if err != nil {
			return err
		}
		return s.showGroups(f, g)
	})
	return c
}

func (s *session) showGroups(f client.Filter, g *client.Groups) error {
	if s.JSON {
		return s.Document(g.JSON())
	}
	rows := make([][]term.Cell, len(g.Groups))
	for i, g := range g.Groups {
		rows[i] = []term.Cell{
			term.Number(g.Count), term.Size(g.Bytes), term.Text(g.Topic), term.Text(g.Queue), term.Text(g.Reason), status(g.Status),
			s.Since(g.First), s.Since(g.Last),
		}
	}
	if len(rows) == 0 {
		s.Tell("%s", noLetter(f))
	}
	return s.Table([]term.Column{
		{Title: "count", Number: true}, {Title: "size", Number: true}, {Title: "function", Wide: true}, {Title: "queue", Wide: true},
		{Title: "reason"}, {Title: "status", Number: true}, {Title: "oldest", Spare: true}, {Title: "latest", Spare: true},
	}, rows)
}

func newDeadShow(r *remote) *cobra.Command {
	c := command("show ID", "Show one dead letter: why it is dead, its attempts, its headers, the beginning of its body, its last answer", `
ID is that of the dead letter, or its call id if no other dead letter has the same.
Headers that may hold secrets are hidden. The answer is the latest one of the function,
kept up to dead_set_answer_bytes; on a terminal its body is shown too. --body writes the whole body and nothing
else; not on a terminal it is exactly the bytes that came.`, codesPlain,
		"queue-worker dead show 0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7",
		"queue-worker dead show 0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7 --body > body")
	c.Args = args(1, 1, "one id or call id")
	body := c.Flags().Bool("body", false, "write the whole body, and nothing else")
	c.RunE = r.run(func(ctx context.Context, s *session, args []string) error {
		l, err := byEither(ctx, s, args[0], func(ctx context.Context, id string) (*client.Letter, error) { return s.Letter(ctx, id, *body) })
		switch {
		case err != nil:
			return err
		case s.JSON:
			return s.Document(l.JSON())
		case *body:
			return s.Body(bytes.NewReader(l.Message))
		}
		return s.showLetter(l)
	})
	return c
}

func (s *session) showLetter(l *client.Letter) error {
	fields := []term.Field{
		{Name: "id", Value: term.Text(l.ID)}, {Name: "call id", Value: term.Text(l.CallID)}, {Name: "kind", Value: term.Text(l.Kind)},
		{Name: "function", Value: term.Text(l.Function)}, {Name: "queue", Value: term.Text(l.Queue)}, {Name: "path", Value: term.Text(l.Path)},
		{Name: "target", Value: term.Text(l.Target)}, {Name: "origin", Value: term.Text(l.Origin)},
		{Name: "callback sequence", Value: numberAbove0(l.Sequence)}, {Name: "superseded", Value: superseded(l.Superseded)},
		{Name: "reason", Value: term.Text(l.Reason)}, {Name: "detail", Value: term.Text(l.Detail)}, {Name: "status", Value: status(l.Status)},
		{Name: "first seen", Value: s.At(l.First)}, {Name: "died", Value: s.At(l.Died)},
		{Name: "retries", Value: term.Number(l.Retries)}, {Name: "replays", Value: term.Number(l.Replays)}, {Name: "crashes", Value: term.Number(l.Crashes)},
	}
	fields = append(fields, attemptFields(s, l.Attempts, l.Omitted)...)
	for _, name := range slices.Sorted(maps.Keys(l.Headers)) {
		fields = append(fields, term.Field{Name: "header", Value: term.Text(name + ": " + strings.Join(l.Headers[name], ", "))})
	}
	fields = append(fields, term.Field{Name: "body", Value: term.Size(l.MessageSize)})
	fields = append(fields, s.answerFields(l.Answer)...)
	if err := s.Fields(fields); err != nil || !s.Showing {
		return err
	}
	if err := s.showMessage(l); err != nil {
		return err
	}
	return s.showAnswer(l.Answer)
}

// answerFields say what a function answered at last; none when no answer is kept.
func (s *session) answerFields(a *wire.Answer) []term.Field {
	if a == nil {
		return nil
	}
	return []term.Field{
		{Name: "answer", Value: status(a.Status)}, {Name: "answered", Value: s.At(a.At)}, {Name: "answer type", Value: term.Text(a.Type)},
	}
}

// showAnswer writes the body of a kept answer for a terminal.
func (s *session) showAnswer(a *wire.Answer) error {
	switch {
	case a == nil, a.Body == "":
		return nil
	case a.Base64:
		s.Tell("the answer is not text; -o json has its base64")
		return nil
	}
	if err := s.Say("\nanswer:"); err != nil {
		return err
	}
	if err := s.Body(strings.NewReader(a.Body + "\n")); err != nil {
		return err
	}
	if a.Truncated {
		s.Tell("this is the beginning of the answer")
	}
	return nil
}

// showMessage writes the beginning of a body for a terminal.
func (s *session) showMessage(l *client.Letter) error {
	switch {
	case l.Unreadable:
		s.Tell("the store cannot read the message: run queue-worker store check on the stopped worker")
	case l.MessageWithheld && !l.MessageRaw:
		s.Tell("the read-only account sees no messages")
	case l.MessageWithheld:
		s.Tell("the message is malformed and may hold secrets; --body writes it")
	case len(l.Message) > 0:
		if err := s.Say(""); err != nil {
			return err
		}
		if err := s.Body(bytes.NewReader(append(l.Message, '\n'))); err != nil {
			return err
		}
	}
	if l.MessageCut && !l.MessageWithheld {
		s.Tell("this is the beginning of %s; --body writes all of it", term.Bytes(l.MessageSize))
	}
	return nil
}
