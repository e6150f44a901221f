// File status.go has the command status.

package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"queue-worker/pkg/client"
	"queue-worker/pkg/term"
	"queue-worker/pkg/wire"
)

func newStatus(e *env) *cobra.Command {
	c := command("status", "Show in words how the worker does, and what needs an operator", `
The first line is the summary; the findings follow, the worst first. Figures of the worker
begin with its process; those of the store outlive it. Not on a terminal, each line is a
name and its values, tab separated: summary, level, finding (level, rule, function, title,
text), then the figures.`, codesPlain, "queue-worker status", "queue-worker status -o json")
	c.Args = noArgs
	r := newRemote(e, c)
	c.RunE = r.run(func(ctx context.Context, s *session, _ []string) error {
		status, err := s.Status(ctx)
		switch {
		case err != nil:
			return err
		case s.JSON:
			return s.Document(status.JSON())
		}
		return s.showStatus(status)
	})
	return c
}

func (s *session) showStatus(status *client.Status) error {
	show := s.listFindings
	if s.Showing {
		show = s.sayFindings
	}
	if err := show(&status.Summary); err != nil {
		return err
	}
	return s.Fields(statusFields(s, &status.Status))
}

// listFindings writes the summary for scripts.
func (s *session) listFindings(summary *wire.Summary) error {
	rows := [][]term.Cell{{term.Text("summary"), term.Text(summary.Headline)}, {term.Text("level"), term.Text(summary.Level)}}
	for _, f := range summary.Findings {
		rows = append(rows, []term.Cell{
			term.Text("finding"), term.Text(f.Level), term.Text(f.Rule), term.Text(f.Function), term.Text(f.Title), term.Text(f.Text),
		})
	}
	return s.Table(nil, rows)
}

// sayFindings writes the summary for an operator.
func (s *session) sayFindings(summary *wire.Summary) error {
	paint := map[string]func(string) string{wire.LevelOK: s.Good, wire.LevelWarning: s.Doubtful, wire.LevelCritical: s.Wrong}
	if err := s.Say("%s\n%s", summary.Headline, summary.Note); err != nil {
		return err
	}
	for _, f := range summary.Findings {
		mark, known := paint[f.Level]
		if !known {
			mark = s.Bold
		}
		text := term.Text(f.Title + ". " + f.Text).Short
		if err := s.Marked(mark, term.Text(f.Level).Short, "", text); err != nil {
			return err
		}
	}
	if summary.More > 0 {
		return s.Say("and %d more", summary.More)
	}
	return nil
}

func statusFields(s *session, status *wire.Status) []term.Field {
	w, st := &status.Worker, &status.Store
	text := func(name, format string, args ...any) term.Field {
		return term.Field{Name: name, Value: term.Text(fmt.Sprintf(format, args...))}
	}
	fields := []term.Field{
		text("version", "%s", w.Version), {Name: "started", Value: s.At(w.Started)},
		text("slots", "%d of %d", w.Slots.Used, w.Slots.Max), text("calls per second", "%.1f", w.Rate),
		text("unaccounted", "%d", w.Unaccounted), text("NATS Streaming", "%s %s", w.Source.URL, connection(&w.Source)),
		text("gateway", "%s", strings.TrimSpace(w.Gateway.URL+" "+w.Gateway.Error)), text("store", "%s", durability(st)),
		{Name: "ready", Value: term.Number(st.Ready)}, {Name: "delayed", Value: term.Number(st.Delayed)},
		{Name: "dead", Value: term.Number(st.Dead)}, {Name: "stored", Value: term.Size(st.RequestBytes + st.ResultBytes)},
	}
	for _, reason := range w.Reasons {
		fields = append(fields, text("not ready", "%s", reason))
	}
	return fields
}

func connection(s *wire.SourceStatus) string {
	switch {
	case !s.Connected:
		return "not connected: " + s.Error
	case s.Paused != "":
		return s.Paused
	}
	return "connected"
}

func durability(s *wire.StoreStatus) string {
	if !s.Durable {
		return "in memory"
	}
	return "durable, " + s.Path
}
