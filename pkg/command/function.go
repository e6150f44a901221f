// File function.go has the commands function and policy.

package command

import (
	"cmp"
	"context"
	"errors"
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

func newFunction(e *env) *cobra.Command {
	c := group("function", "List, pause, resume and purge functions", "")
	c.Aliases = []string{"functions", "fn"}
	r := newRemote(e, c)
	c.AddCommand(newFunctionList(r), newFunctionDue(r), newFunctionPause(r), newFunctionResume(r), newFunctionPurge(r))
	return c
}

func newFunctionList(r *remote) *cobra.Command {
	c := command("ls [FUNCTION]", "List functions and their invocations, one row for each queue", `
Not on a terminal, the columns are tab separated and have no headings: function,
queue, ready, running, delayed, dead, paused, age of the oldest in seconds, calls a
second, last error, calls at a time that the function takes, what holds it back.
With -o json there is one document a page, as the worker has answered it; a page has up
to 500 functions.`, codesPlain,
		"queue-worker function ls", "queue-worker function ls figlet -o json")
	c.Args = args(0, 1, "one function, or none for all")
	c.RunE = r.run(func(ctx context.Context, s *session, args []string) error {
		if len(args) == 0 {
			return s.listFunctions(ctx)
		}
		all, err := s.Function(ctx, args[0])
		if err != nil {
			return err
		}
		return s.showFunctions(all)
	})
	return c
}

func newFunctionDue(r *remote) *cobra.Command {
	c := command("due FUNCTION", "Count the delayed invocations of a function that become due in the next hour", `
One row for each minute that has any. Not on a terminal, the columns are tab separated
and have no headings: beginning of the minute, invocations.`, codesPlain,
		"queue-worker function due figlet", "queue-worker function due figlet --queue slow-queue -o json")
	c.Args = args(1, 1, "one function")
	queue := c.Flags().String("queue", "", "in this queue (default: all)")
	c.RunE = r.run(func(ctx context.Context, s *session, args []string) error {
		due, err := s.Due(ctx, args[0], *queue)
		if err != nil {
			return err
		}
		return s.showDue(due)
	})
	return c
}

func (s *session) showDue(due *client.Due) error {
	var steps []int
	for i, n := range due.Due.Due {
		if n > 0 {
			steps = append(steps, i)
		}
	}
	l := listing{s: s, columns: []term.Column{{Title: "from"}, {Title: "invocations", Number: true}}}
	err := l.page(due.JSON(), len(steps), func(i int) []term.Cell {
		return []term.Cell{s.At(due.From.Add(time.Duration(steps[i]*due.Step) * time.Second)), term.Number(due.Due.Due[steps[i]])}
	})
	note := ""
	if !due.Whole {
		note = "there are more delayed invocations than could be counted"
	}
	if err != nil {
		return err
	}
	return l.end("nothing becomes due in the next hour", false, note)
}

// nothingOfFunctions is what a listing without a row says.
const nothingOfFunctions = "the worker has nothing of any function"

func (s *session) functionListing() listing {
	return listing{s: s, columns: []term.Column{
		{Title: "function", Wide: true}, {Title: "queue", Wide: true}, {Title: "ready", Number: true}, {Title: "running", Number: true},
		{Title: "delayed", Number: true}, {Title: "dead", Number: true}, {Title: "paused", Wide: true}, {Title: "oldest", Spare: true},
		{Title: "rate", Number: true, Spare: true}, {Title: "last error", Wide: true, Spare: true},
		{Title: "limit", Number: true, Spare: true}, {Title: "held", Wide: true, Spare: true},
	}}
}

// listFunctions shows all functions, page by page.
func (s *session) listFunctions(ctx context.Context) error {
	l, others := s.functionListing(), []wire.Others(nil)
	for page, err := range s.Functions(ctx, 0) {
		if err != nil {
			return err
		}
		others = page.Others
		if err := l.page(page.JSON(), len(page.Functions), func(i int) []term.Cell { return s.functionRow(&page.Functions[i]) }); err != nil {
			return err
		}
	}
	if err := l.end(nothingOfFunctions, false, ""); err != nil {
		return err
	}
	for _, o := range others {
		s.Tell("queue %s: functions not listed one by one have %d ready, %d delayed and %d dead", o.Queue, o.Ready, o.Delayed, o.Dead)
	}
	return nil
}

func (s *session) showFunctions(all *client.Functions) error {
	l := s.functionListing()
	if err := l.page(all.JSON(), len(all.Functions), func(i int) []term.Cell { return s.functionRow(&all.Functions[i]) }); err != nil {
		return err
	}
	return l.end(nothingOfFunctions, false, "")
}

func (s *session) functionRow(f *wire.Function) []term.Cell {
	oldest, lastError, paused := term.Cell{Long: fmt.Sprint(f.OldestAge)}, term.Cell{}, term.Cell{}
	if f.OldestAge > 0 {
		oldest.Short = term.Seconds(f.OldestAge)
	}
	if e := f.LastError; e != nil {
		at := s.Since(e.At)
		lastError = term.Cell{Short: statusText(e.Status, e.Cause) + ", " + at.Short + " ago", Long: statusText(e.Status, e.Cause) + ", " + at.Long}
	}
	if p := f.Paused; p != nil {
		paused = term.Text("paused")
		if p.Author != "" {
			paused = term.Text("by " + p.Author)
		}
		if p.Reason != "" {
			paused = term.Text(paused.Long + ": " + p.Reason)
		}
		if until := s.until(p.Until); until.Long != "" {
			paused = term.Cell{Short: paused.Short + ", ends " + until.Short, Long: paused.Long + ", ends " + until.Long}
		}
	}
	return []term.Cell{
		term.Text(f.Function), term.Text(f.Queue), term.Number(f.Ready), term.Number(f.Running), term.Number(f.Delayed), term.Number(f.Dead),
		paused, oldest, term.Cell{Short: fmt.Sprintf("%.1f/s", f.Rate), Long: fmt.Sprint(f.Rate)}, lastError,
		term.Number(f.Limit), s.held(f),
	}
}

// until shows when something ends, "" for a time that is not there.
func (s *session) until(t *time.Time) term.Cell {
	if t == nil {
		return term.Cell{}
	}
	return s.Until(*t)
}

// held is what holds a function back, other than a pause.
func (s *session) held(f *wire.Function) term.Cell {
	if b := f.Breaker; b.State != "" && b.State != wire.BreakerClosed {
		since := s.Since(b.Since)
		why := "out of reach (" + b.Cause + ")"
		return term.Cell{Short: why + " for " + since.Short, Long: why + " since " + since.Long}
	}
	until := s.until(f.HeldUntil)
	if until.Long == "" {
		return term.Cell{}
	}
	return term.Cell{Short: "Retry-After, ends " + until.Short, Long: "Retry-After, ends " + until.Long}
}

func newFunctionPause(r *remote) *cobra.Command {
	c := command("pause FUNCTION", "Pause a function: no new calls start, running calls finish", `
New invocations are accepted and stay pending. The pause survives a restart of the worker.
A function that certainly does not exist is refused, unless --force is given.`, codesPlain,
		`queue-worker function pause figlet --reason "database is down" --for 1h`)
	c.Args = args(1, 1, "one function")
	var what wire.PauseRequest
	c.Flags().StringVar(&what.Reason, "reason", "", "reason, shown with the function")
	c.Flags().StringVar(&what.Author, "author", "", "name of the operator (default: the user of this system)")
	c.Flags().StringVar(&what.For, "for", "", "resume after this long, such as 90m or 7d (default: never)")
	c.Flags().BoolVar(&what.Force, "force", false, "also a function that does not exist")
	c.RunE = r.run(func(ctx context.Context, s *session, args []string) error {
		if c.Flags().Changed("for") && what.For == "" {
			return usageError{errors.New("--for has no value")}
		}
		if what.Author == "" {
			what.Author = r.e.get("USER")
		}
		all, err := s.PauseFunction(ctx, args[0], what)
		if client.IsNotFound(err) {
			return inForce(err)
		}
		if err != nil {
			return err
		}
		if all.Note != "" {
			s.Tell("warning: %s", all.Note)
		}
		return s.showFunctions(all)
	})
	return c
}

// inForce names the flag in a refusal that force overrules.
func inForce(err error) error {
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		return err
	}
	named := *e
	named.Hint = strings.ReplaceAll(e.Hint, "with force", "with --force")
	return &named
}

func newFunctionResume(r *remote) *cobra.Command {
	c := command("resume FUNCTION", "Resume a paused function", "", codesPlain, "queue-worker function resume figlet")
	c.Args = args(1, 1, "one function")
	c.RunE = r.run(func(ctx context.Context, s *session, args []string) error {
		all, err := s.ResumeFunction(ctx, args[0])
		if err != nil {
			return err
		}
		return s.showFunctions(all)
	})
	return c
}

func newFunctionPurge(r *remote) *cobra.Command {
	c := command("purge FUNCTION", "Remove all pending invocations of a function", `
Calls in flight and dead letters stay (queue-worker dead drop). The worker makes
a plan, which is shown, and carried out after a "yes", or at once with --yes. What is
purged is counted as dropped.`, codesBulk,
		"queue-worker function purge figlet --state delayed", "queue-worker function purge figlet --queue faas-request --yes")
	c.Args = args(1, 1, "one function")
	queue := c.Flags().String("queue", "", "only in this queue")
	state := c.Flags().String("state", "all", "ready, delayed or all")
	b := newBulk(c)
	c.RunE = r.run(func(ctx context.Context, s *session, args []string) error {
		if c.Flags().Changed("queue") && *queue == "" {
			return usageError{errors.New("--queue has no value")}
		}
		job, err := s.Purge(ctx, args[0], *queue, *state)
		if err != nil {
			return err
		}
		return s.carryOut(ctx, job, b)
	})
	return c
}

func newPolicy(e *env) *cobra.Command {
	c := group("policy", "Show how functions are called and retried", "")
	r := newRemote(e, c)
	show := command("show FUNCTION", "Show the policy in force for a function, and the origin of each value", `
What single messages ask for by their header is shown with them: queue-worker
invocation get.`, codesPlain,
		"queue-worker policy show figlet", "queue-worker policy show figlet --queue slow-queue")
	show.Args = args(1, 1, "one function")
	queue := show.Flags().String("queue", "", "in this queue (default: the first one)")
	show.RunE = r.run(func(ctx context.Context, s *session, args []string) error {
		p, err := s.Policy(ctx, args[0], *queue)
		switch {
		case err != nil:
			return err
		case s.JSON:
			return s.Document(p.JSON())
		}
		return s.Fields(policyFields(&p.Policy))
	})
	c.AddCommand(show)
	return c
}

// unless is a value, or the words for what stands for none.
func unless(value, none, words string) string {
	if value == none {
		return words
	}
	return value
}

func policyFields(p *wire.Policy) []term.Field {
	attempts := fmt.Sprint(p.Attempts)
	if p.Attempts < 0 {
		attempts = "without end"
	}
	rate := "no limit"
	if p.Rate > 0 {
		rate = fmt.Sprint(p.Rate) + "/s"
	}
	values := map[string]string{
		"dead_set_codes": cmp.Or(p.DeadCodes, "none"), "max_age": unless(p.MaxAge, "0s", "no limit"),
		"max_inflight": fmt.Sprint(p.MaxInflight), "rate": rate, "priority": fmt.Sprint(p.Priority),
		"max_retry_attempts": attempts, "initial_retry_wait": p.Initial, "max_retry_wait": p.Max, "backoff": p.Backoff,
		"retry_http_codes": p.Codes, "max_retry_after": p.MaxRetryAfter, "timeout": unless(p.Timeout, "0s", "the gateway's"),
	}
	var fields []term.Field
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name]
		if from := p.From[name]; from != "" && value != "" {
			value += " (" + from + ")"
		}
		fields = append(fields, term.Field{Name: name, Value: term.Text(value)})
	}
	for _, r := range p.Refused {
		text := r.Name + ": " + r.Expected
		if r.Value != "" {
			text = r.Name + " is " + r.Value + ": expected " + r.Expected
		}
		fields = append(fields, term.Field{Name: "refused", Value: term.Text(text)})
	}
	return append(fields,
		term.Field{Name: "waits", Value: term.Text(strings.Join(p.Schedule, " "))},
		term.Field{Name: "shortest waits", Value: term.Text(strings.Join(p.Shortest, " "))},
		term.Field{Name: "all waits", Value: term.Text(p.TotalWait)})
}
