// File jobs.go lists jobs, shows their progress, and pauses, resumes and cancels them.

package command

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"queue-worker/pkg/client"
	"queue-worker/pkg/term"
	"queue-worker/pkg/wire"
)

// newReplay returns the group job under its first name, which scripts still use.
func newReplay(e *env) *cobra.Command {
	c := newJob(e)
	c.Use, c.Aliases, c.Hidden = "replay", nil, true
	return c
}

func newJob(e *env) *cobra.Command {
	c := group("job", "List, pause, resume and cancel jobs", `
A job replays or drops dead letters, or purges what a function has pending. It is
started by 'dead replay', 'dead drop' and 'function purge', and runs in the worker,
after a restart too. These commands show and control all three kinds.`)
	c.Aliases = []string{"jobs"}
	r := newRemote(e, c)
	c.AddCommand(newJobList(r), newJobStatus(r),
		newSteer(r, "pause", "Pause jobs until they are resumed", (*client.Client).PauseJob),
		newSteer(r, "resume", "Resume jobs that were paused, or that stopped because of failures", (*client.Client).ResumeJob),
		newSteer(r, "cancel", "Cancel jobs; finished changes stay", (*client.Client).CancelJob))
	return c
}

func newJobList(r *remote) *cobra.Command {
	c := command("ls", "List jobs, the latest first", `
Not on a terminal, the columns are tab separated and have no headings: id, act, state,
planned, done, failed again, skipped, time of the plan, who, succeeded, pending. What is not
known is empty.`, codesPlain,
		"queue-worker job ls", "queue-worker job ls -o json")
	c.Args = args(0, 0, "there are none")
	limit, all := addLimit(c)
	c.RunE = r.run(func(ctx context.Context, s *session, _ []string) error {
		l, more := listing{s: s, columns: jobColumns}, false
		for page, err := range s.Jobs(ctx, rows(*limit, *all)) {
			if err != nil {
				return err
			}
			more = page.Next != ""
			if err := l.page(page.JSON(), len(page.Jobs), func(i int) []term.Cell { return s.jobRow(&page.Jobs[i]) }); err != nil {
				return err
			}
		}
		return l.end("there are no jobs", more, "")
	})
	return c
}

var jobColumns = []term.Column{
	{Title: "id"}, {Title: "act"}, {Title: "state"}, {Title: "planned", Number: true}, {Title: "done", Number: true},
	{Title: "failed again", Number: true, Spare: true}, {Title: "skipped", Number: true, Spare: true}, {Title: "age", Spare: true},
	{Title: "by", Wide: true, Spare: true}, {Title: "succeeded", Number: true, Spare: true}, {Title: "pending", Number: true, Spare: true},
}

func (s *session) jobRow(j *wire.Job) []term.Cell {
	return []term.Cell{
		term.Text(j.ID), term.Text(j.Act), term.Text(j.State), term.Number(j.Plan.Count), term.Number(j.Done),
		known(j.FailedAgain), term.Number(j.Skipped), s.Since(j.Created), term.Text(j.By), known(j.Succeeded), known(j.Pending),
	}
}

// known is a cell with a number, or empty where that is not known.
func known(n *int) term.Cell {
	if n == nil {
		return term.Text("")
	}
	return term.Number(*n)
}

func newJobStatus(r *remote) *cobra.Command {
	c := command("status JOB", "Show a job", `
With --watch the progress is shown until the job has finished and, of a replay, until each
outcome is known, at the latest after --observe. The exit code is that of its end; Ctrl-C
leaves it running.`, codesWatch,
		"queue-worker job status 0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7 --watch")
	c.Args = args(1, 1, "the id of one job")
	var observe time.Duration
	spanVar(c.Flags(), &observe, "observe", 0, observeHelp)
	watch := c.Flags().BoolP("watch", "w", false, "show the progress until the job has finished")
	c.RunE = r.run(func(ctx context.Context, s *session, args []string) error {
		job, err := s.Job(ctx, args[0])
		switch {
		case err != nil:
			return err
		case *watch && job.State == wire.JobPlanned:
			return fmt.Errorf("job %s is planned and not applied: there is nothing to watch", job.ID)
		case *watch:
			return s.watch(ctx, job, observe)
		}
		return s.showJob(job)
	})
	return c
}

func newSteer(r *remote, verb, short string, do func(*client.Client, context.Context, string) (*client.Job, error)) *cobra.Command {
	c := command(verb+" JOB...", short, "", codesPlain+", 3 not all of them",
		"queue-worker job "+verb+" 0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7")
	c.Args = args(1, -1, "the ids of one or more jobs")
	c.RunE = r.run(func(ctx context.Context, s *session, ids []string) error {
		t := tally{of: len(ids)}
		for _, id := range ids {
			job, err := do(s.Client, ctx, id)
			if err != nil {
				return t.failed(err)
			}
			t.done++
			if s.JSON {
				err = s.Document(job.JSON())
			} else {
				err = s.Say("%s %s: %s", job.Act, job.ID, job.State)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return c
}

// showPlan is what an operator has to know before saying yes.
func showPlan(c *term.Console, j *client.Job) error {
	p := j.Plan
	if p.Count == 0 {
		c.Tell("nothing to %s", j.Act)
		return nil
	}
	text := fmt.Sprintf("%s: %d, %s", j.Act, p.Count, term.Bytes(p.Bytes))
	if !p.Oldest.IsZero() {
		text += ", oldest " + c.At(p.Oldest).Short
	}
	if p.Duration != "" {
		text += "; takes about " + p.Duration
	}
	if j.Rate > 0 {
		text += fmt.Sprintf(" at %d a second", j.Rate)
	}
	c.Tell("%s", text)
	if p.NeedsForce > 0 {
		c.Tell("%d of them died again after 3 replays: they are skipped without --force", p.NeedsForce)
	}
	rows := make([][]term.Cell, len(p.Groups))
	for i, g := range p.Groups {
		rows[i] = []term.Cell{term.Number(g.Count), term.Text(g.Function), term.Text(g.Queue), term.Text(g.Reason)}
	}
	err := c.Table([]term.Column{{Title: "count", Number: true}, {Title: "function", Wide: true}, {Title: "queue", Wide: true}, {Title: "reason"}}, rows)
	if p.MoreGroups > 0 {
		c.Tell("and %d more groups", p.MoreGroups)
	}
	return err
}

func (s *session) showJob(j *client.Job) error {
	if s.JSON {
		return s.Document(j.JSON())
	}
	fields := []term.Field{
		{Name: "id", Value: term.Text(j.ID)}, {Name: "act", Value: term.Text(j.Act)}, {Name: "state", Value: term.Text(j.State)},
		{Name: "why", Value: term.Text(j.StateReason)}, {Name: "filter", Value: term.Text(filterText(j.Filter))}, {Name: "by", Value: term.Text(j.By)},
		{Name: "planned", Value: term.Number(j.Plan.Count)}, {Name: "done", Value: term.Number(j.Done)},
		{Name: "skipped", Value: term.Number(j.Skipped)}, {Name: "succeeded", Value: known(j.Succeeded)},
		{Name: "failed again", Value: known(j.FailedAgain)}, {Name: "dropped", Value: known(j.Dropped)},
		{Name: "cancelled", Value: known(j.Cancelled)}, {Name: "pending", Value: known(j.Pending)},
		{Name: "rate", Value: rateText(j.Rate)}, {Name: "canary", Value: term.Text(fmt.Sprint(j.Canary))},
		{Name: "force", Value: term.Text(fmt.Sprint(j.Force))}, {Name: "created", Value: s.At(j.Created)},
		{Name: "applied", Value: s.At(j.Applied)}, {Name: "finished", Value: s.At(j.Finished)}, {Name: "expires", Value: s.Until(j.Expires)},
	}
	return s.Fields(fields)
}

// rateText is a cell with a rate.
func rateText(n int) term.Cell {
	if n == 0 {
		return term.Cell{Short: "no limit", Long: "0"}
	}
	return term.Cell{Short: fmt.Sprintf("%d/s", n), Long: fmt.Sprint(n)}
}

// filterText is a filter as the flags that it was made of.
func filterText(filter any) string {
	f, _ := filter.(map[string]any)
	if len(f) == 0 {
		return "everything"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		value := fmt.Sprint(f[name])
		if _, plain := f[name].(string); !plain {
			b, err := json.Marshal(f[name])
			if err == nil {
				value = string(b)
			}
		}
		parts = append(parts, name+"="+value)
	}
	return strings.Join(parts, " ")
}
