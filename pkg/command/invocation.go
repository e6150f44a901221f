// File invocation.go shows, lists, awaits and cancels invocations.

package command

import (
	"bytes"
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

func newInvocation(e *env) *cobra.Command {
	c := group("invocation", "Show, wait for and cancel invocations", `
An ID is a call id (the X-Call-Id that the gateway answers with) or the invocation's
own id. If several invocations have one call id, it stands for all of them when showing and
waiting, and cancelling needs the own id.`)
	c.Aliases = []string{"invocations", "inv"}
	r := newRemote(e, c)
	c.AddCommand(newInvocationGet(r), newInvocationRequest(r), newInvocationWait(r), newInvocationCancel(r), newInvocationList(r))
	return c
}

func newInvocationGet(r *remote) *cobra.Command {
	c := command("get ID", "Show an invocation: its state, its attempts, the policy in force", `
With --result it writes the answer of the function, where result_ttl keeps it, and
nothing else.`, codesPlain,
		"queue-worker invocation get 5c5f2b7e-8f5c-4b57-9b0d-8c6d6f6f1a11",
		"queue-worker invocation get 5c5f2b7e-8f5c-4b57-9b0d-8c6d6f6f1a11 -o json | jq '.invocations[0].state'")
	c.Args = args(1, 1, "one id or call id")
	result := c.Flags().Bool("result", false, "write the body of the function's answer")
	c.RunE = r.run(func(ctx context.Context, s *session, args []string) error {
		if *result {
			return s.writeResult(ctx, args[0])
		}
		all, err := s.Invocation(ctx, args[0], 0)
		if err != nil {
			return err
		}
		return s.showInvocations(all)
	})
	return c
}

func newInvocationRequest(r *remote) *cobra.Command {
	c := command("request ID", "Show the request of an invocation that is pending or dead", `
Secrets in its header are hidden. With --body it writes the body and nothing else.`, codesPlain,
		"queue-worker invocation request 5c5f2b7e-8f5c-4b57-9b0d-8c6d6f6f1a11",
		"queue-worker invocation request 5c5f2b7e-8f5c-4b57-9b0d-8c6d6f6f1a11 --body > body")
	c.Args = args(1, 1, "one id or call id")
	body := c.Flags().Bool("body", false, "write the body of the request")
	c.RunE = r.run(func(ctx context.Context, s *session, args []string) error {
		q, err := s.Request(ctx, args[0], *body)
		switch {
		case err != nil:
			return err
		case s.JSON:
			return s.Document(q.JSON())
		case *body:
			return s.Body(bytes.NewReader(q.Message))
		}
		fields := []term.Field{{Name: "id", Value: term.Text(q.ID)}, {Name: "path", Value: term.Text(q.Path)}, {Name: "query", Value: term.Text(q.Query)}}
		for _, name := range slices.Sorted(maps.Keys(q.Headers)) {
			fields = append(fields, term.Field{Name: name, Value: term.Text(strings.Join(q.Headers[name], ", "))})
		}
		return s.Fields(append(fields, term.Field{Name: "message", Value: term.Size(q.MessageSize)}))
	})
	return c
}

// writeResult writes the answer of a function that was kept.
func (s *session) writeResult(ctx context.Context, id string) error {
	result, err := s.Result(ctx, id)
	if err != nil {
		return err
	}
	defer func() { _ = result.Body.Close() }()
	err = s.Body(result.Body)
	if err == nil && result.Truncated {
		s.Tell("this is the beginning only: the answer was cut, see max_response_bytes and max_response_memory")
	}
	return err
}

func (s *session) showInvocations(all *client.Invocations) error {
	if s.JSON {
		return s.Document(all.JSON())
	}
	for i := range all.Invocations {
		if i > 0 {
			if err := s.Say(""); err != nil {
				return err
			}
		}
		if err := s.showInvocation(&all.Invocations[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) showInvocation(i *wire.Invocation) error {
	fields := []term.Field{
		{Name: "id", Value: term.Text(i.ID)}, {Name: "call id", Value: term.Text(i.CallID)}, {Name: "kind", Value: term.Text(i.Kind)},
		{Name: "source", Value: term.Text(i.Source)}, {Name: "target", Value: term.Text(i.Target)}, {Name: "callback sequence", Value: numberAbove0(i.Sequence)}, {Name: "function", Value: term.Text(i.Function)}, {Name: "queue", Value: term.Text(i.Queue)},
		{Name: "state", Value: term.Text(i.State)}, {Name: "due", Value: s.Until(i.Due)}, {Name: "running since", Value: s.At(i.Running)}, {Name: "status", Value: status(i.Status)},
		{Name: "reason", Value: term.Text(i.Reason)}, {Name: "detail", Value: term.Text(i.Detail)},
		{Name: "first seen", Value: s.At(i.First)}, {Name: "died", Value: s.At(i.Died)}, {Name: "finished", Value: s.At(i.Finished)},
		{Name: "expires", Value: s.Until(i.Expires)}, {Name: "repeats", Value: term.Text(i.Repeats)}, {Name: "delay ignored", Value: term.Text(i.DelayIgnored)}, {Name: "retries", Value: term.Number(i.Retries)}, {Name: "replays", Value: term.Number(i.Replays)},
		{Name: "size", Value: term.Size(i.Size)},
	}
	fields = append(fields, attemptFields(s, i.Attempts, i.Omitted)...)
	if i.Policy != nil {
		fields = append(fields, policyFields(i.Policy)...)
	}
	if i.Truncated {
		fields = append(fields, term.Field{Name: "truncated", Value: term.Text("true")})
	}
	if i.HasResult {
		fields = append(fields, term.Field{Name: "result", Value: term.Cell{Short: "kept: --result writes it", Long: "kept"}})
	}
	return s.Fields(fields)
}

func newInvocationWait(r *remote) *cobra.Command {
	c := command("wait ID", "Wait until an invocation has finished", `
Without --timeout it waits without a limit. Ctrl-C ends the waiting, not the
invocation.`, "0 done, 1 dead, dropped, cancelled or not finished in time, 2 wrong usage, 3 a call id of several: some are done",
		"queue-worker invocation wait 5c5f2b7e-8f5c-4b57-9b0d-8c6d6f6f1a11 --timeout 10m")
	c.Args = args(1, 1, "one id or call id")
	var timeout time.Duration
	spanVar(c.Flags(), &timeout, "timeout", 0, "wait at most this long (default: no limit)")
	c.RunE = r.run(func(ctx context.Context, s *session, args []string) error {
		if _, err := s.Invocation(ctx, args[0], onItsWay); client.IsNotFound(err) {
			return err
		}
		all, err := s.await(ctx, args[0], timeout)
		if err != nil {
			return err
		}
		if err := s.showInvocations(all); err != nil {
			return err
		}
		return howTheyEnded(all)
	})
	return c
}

// onItsWay is how long an unknown id is waited for: an invocation may be
// between the gateway and the worker. Beyond that it is a typing error.
const onItsWay = 2 * time.Second

// errNotOver is the end of a wait that was long enough.
var errNotOver = errors.New("it has not finished yet")

// await waits until an invocation has finished, through absences of the worker too. A
// timeout of 0 has no end.
func (s *session) await(ctx context.Context, id string, timeout time.Duration) (*client.Invocations, error) {
	end := time.Now().Add(timeout)
	answered := time.Now()
	for {
		wait := client.MaxWait
		if timeout > 0 {
			wait = min(wait, time.Until(end))
		}
		all, err := s.Invocation(ctx, id, max(wait, 0))
		switch {
		case err == nil && all.Over():
			return all, nil
		case err == nil:
			answered = time.Now()
		case ctx.Err() != nil || !client.IsPassing(err) || time.Since(answered) > patience:
			return nil, err
		}
		if timeout > 0 && time.Until(end) <= 0 {
			return nil, fmt.Errorf("%w: queue-worker invocation get %s", errNotOver, id)
		}
		if err != nil || wait < client.MaxWait { // it is away, or was quick to answer
			if err := pause(ctx, pollPeriod); err != nil {
				return nil, err
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// howTheyEnded is nil when every invocation of a function was done.
func howTheyEnded(all *client.Invocations) error {
	t, last := tally{}, ""
	for _, i := range all.Invocations {
		if i.Kind == "callback" {
			continue
		}
		t.of++
		if i.State == wire.StateDone {
			t.done++
		} else {
			last = i.State
		}
	}
	if t.done == t.of {
		return nil
	}
	return t.failed(fmt.Errorf("the invocation is %s", last))
}

func newInvocationCancel(r *remote) *cobra.Command {
	c := command("cancel ID...", "Cancel pending and running invocations", `
Pending invocations are removed, calls in flight are aborted. Dead letters are dropped
instead: queue-worker dead drop.`, codesPlain+", 3 not all of them",
		"queue-worker invocation cancel 5c5f2b7e-8f5c-4b57-9b0d-8c6d6f6f1a11")
	c.Args = args(1, -1, "one or more ids or call ids")
	c.RunE = r.run(func(ctx context.Context, s *session, ids []string) error {
		t := tally{of: len(ids)}
		for _, id := range ids {
			a, err := s.Cancel(ctx, id)
			if err != nil {
				return t.failed(err)
			}
			t.done++
			if s.JSON {
				err = s.Document(a.JSON())
			} else {
				err = s.Say("%s %s", a.State, a.ID)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return c
}

func newInvocationList(r *remote) *cobra.Command {
	c := command("ls", "List pending and running invocations", `
Not on a terminal, the columns are tab separated and have no headings: id, function,
state, due, time of acceptance, queue, retries, call id.`, codesPlain,
		"queue-worker invocation ls --function figlet", "queue-worker invocation ls --state delayed --all -o json")
	c.Args = args(0, 0, "there are none")
	var f client.PendingFilter
	c.Flags().StringVar(&f.Function, "function", "", "of this function")
	c.Flags().StringVar(&f.Queue, "queue", "", "of this queue")
	c.Flags().StringVar(&f.State, "state", "", "ready, running or delayed")
	limit, all := addLimit(c)
	c.RunE = r.run(func(ctx context.Context, s *session, _ []string) error {
		return s.listPending(ctx, f, rows(*limit, *all))
	})
	return c
}

func (s *session) listPending(ctx context.Context, f client.PendingFilter, limit int) error {
	l := listing{s: s, columns: []term.Column{
		{Title: "id"}, {Title: "function", Wide: true}, {Title: "state"}, {Title: "due"}, {Title: "age", Spare: true},
		{Title: "queue", Wide: true, Spare: true}, {Title: "retries", Number: true, Spare: true}, {Title: "call id", Wide: true, Spare: true},
	}}
	more := false
	for page, err := range s.Pending(ctx, f, limit) {
		if err != nil {
			return err
		}
		more = page.Next != ""
		if err := l.page(page.JSON(), len(page.Invocations), func(i int) []term.Cell { return s.pendingRow(&page.Invocations[i]) }); err != nil {
			return err
		}
	}
	none := "nothing is pending"
	if f != (client.PendingFilter{}) {
		none = "nothing like that is pending"
	}
	return l.end(none, more, "")
}

func (s *session) pendingRow(i *wire.Invocation) []term.Cell {
	return []term.Cell{
		term.Text(i.ID), term.Text(i.Topic), term.Text(i.State), s.Until(i.Due), s.Since(i.First), term.Text(i.Queue),
		term.Number(i.Retries), term.Text(i.CallID),
	}
}
