// File dead_act.go replays and drops dead letters, by id or by a filter.

package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"queue-worker/pkg/client"
	"queue-worker/pkg/wire"
)

const bulkHelp = `
Dead letters are named by their ids, or by call ids that no other dead letter has, without
a plan, or by a filter. With a filter, or
with --all for the whole dead set, the worker makes a plan: which dead letters, how many
of what, how long it takes. The plan is shown, and carried out after a "yes", or at
once with --yes. Where standard input is not a terminal, --yes is needed.

The job continues in the worker when this command ends, also by Ctrl-C:
'queue-worker job' shows, pauses, resumes and cancels it.`

const replayHelp = `

When everything is replayed, the command observes what becomes of it: each invocation
counts once, with its final outcome, and one that is retried is pending. It ends when
none is pending, at the latest after --observe. --detach ends at once.`

func newDeadReplay(r *remote) *cobra.Command {
	c := command("replay [ID...]", "Replay dead letters", bulkHelp+replayHelp+`

--canary replays one dead letter, then 10, then the rest, each step when the one before
has succeeded, and stops when too many fail again. One that has failed again
after 3 replays is skipped, unless --force is there.`, codesReplay,
		"queue-worker dead replay 0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7",
		"queue-worker dead replay --function figlet --status 5xx --canary",
		"queue-worker dead replay --all --rate 50 --yes --detach")
	a := newAct(r, c, "replay")
	f := c.Flags()
	f.IntVar(&a.rate, "rate", 0, "dead letters a second (default: 10)")
	f.BoolVar(&a.order.Canary, "canary", false, "replay one, then 10, then the rest, and stop when they fail again")
	spanVar(f, &a.bulk.observe, "observe", 0, observeHelp)
	share := f.Float64("max-failed-share", 0, "stop when more than this share, from 0 to 1, fails again (default: 0.2 with --canary, otherwise none)")
	c.PreRun = func(*cobra.Command, []string) {
		if f.Changed("max-failed-share") {
			a.order.MaxFailedShare = share
		}
	}
	f.BoolVar(&a.order.Force, "force", false, "also those that failed again after 3 replays, and callbacks of an outcome before a replay")
	return c
}

func newDeadDrop(r *remote) *cobra.Command {
	c := command("drop [ID...]", "Remove dead letters for good", bulkHelp, codesBulk,
		"queue-worker dead drop 0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7",
		"queue-worker dead drop --reason malformed --until 7d",
		"queue-worker dead drop --function figlet --limit 100 --yes")
	a := newAct(r, c, "drop")
	c.Flags().IntVar(&a.rate, "rate", 0, "dead letters a second (default: as fast as the store allows)")
	return c
}

// bulk are the flags of every act on many.
type bulk struct {
	yes, detach, dryRun bool
	observe             time.Duration // of a replay; 0: as long as the plan says
}

const observeHelp = "after the replay, wait so long for the outcomes (default: the longest first wait and 30s)"

func newBulk(c *cobra.Command) *bulk {
	b := &bulk{}
	f := c.Flags()
	f.BoolVar(&b.yes, "yes", false, "apply the plan without asking")
	f.BoolVar(&b.detach, "detach", false, "start the job and do not wait for its end")
	f.BoolVar(&b.detach, "no-wait", false, "the same as --detach")
	_ = f.MarkHidden("no-wait") // it is defined above
	f.BoolVar(&b.dryRun, "dry-run", false, "show the plan and do not apply it")
	return b
}

// deadAct is a command that replays or drops.
type deadAct struct {
	c      *cobra.Command
	filter *filterFlags
	bulk   *bulk
	limit  int // 0: not given
	rate   int // the same
	order  wire.PlanRequest
}

func newAct(r *remote, c *cobra.Command, verb string) *deadAct {
	a := &deadAct{c: c, filter: newFilter(c), bulk: newBulk(c), order: wire.PlanRequest{Act: wire.Text(verb)}}
	f := c.Flags()
	f.BoolVar(&a.order.All, "all", false, "the whole dead set, instead of a filter")
	f.IntVar(&a.limit, "limit", 0, "at most this many, the oldest (default: all that match)")
	c.Args = args(0, -1, "ids or call ids of dead letters")
	c.RunE = r.run(a.run)
	return a
}

func (a *deadAct) run(ctx context.Context, s *session, ids []string) error {
	f, err := a.filter.filter(a.c)
	if err != nil {
		return err
	}
	byFilter := given(a.c)
	switch {
	case len(ids) > 0 && (byFilter || a.order.All):
		return usageError{errors.New("ids, a filter and --all exclude each other")}
	case byFilter && a.order.All:
		return usageError{errors.New("--all and a filter exclude each other")}
	case a.c.Flags().Changed("limit") && a.limit < 1:
		return usageError{errLimit}
	case a.c.Flags().Changed("rate") && a.rate < 1:
		return usageError{errors.New("--rate: expected a whole number from 1")}
	case len(ids) > 0:
		return a.each(ctx, s, ids)
	case !byFilter && !a.order.All:
		return usageError{fmt.Errorf("no dead letters chosen: give ids, a filter, or --all for the whole dead set; see '%s --help'", a.c.CommandPath())}
	}
	a.order.Filter = f
	if a.limit > 0 {
		a.order.Limit = &a.limit
	}
	if a.rate > 0 {
		a.order.Rate = &a.rate
	}
	job, err := s.Plan(ctx, a.order)
	if err != nil {
		return err
	}
	return s.carryOut(ctx, job, a.bulk)
}

// each acts on letters one by one. What cannot be done to one does not hinder the
// others; what keeps the worker from answering does.
func (a *deadAct) each(ctx context.Context, s *session, ids []string) error {
	do, done := func(ctx context.Context, id string) (*client.Acted, error) { return s.Replay(ctx, id, a.order.Force) }, "replayed"
	if a.order.Act == "drop" {
		do, done = s.Drop, "dropped"
	}
	t := tally{of: len(ids)}
	var replayed []string
	for _, id := range ids {
		answer, err := byEither(ctx, s, id, do)
		if err != nil {
			if _, judged := errors.AsType[*client.Error](err); !judged || client.IsPassing(err) || len(ids) == 1 {
				return t.failed(err)
			}
			s.Tell("%s: %s", id, err)
			continue
		}
		t.done++
		replayed = append(replayed, answer.ID)
		if s.JSON {
			err = s.Document(answer.JSON())
		} else {
			err = s.Say("%s %s", done, answer.ID)
		}
		if err != nil {
			return err
		}
	}
	if a.order.Act == "drop" || t.done == 0 {
		return t.result()
	}
	return cmp.Or(a.outcomes(ctx, s, replayed), t.result())
}

// outcomes observes what becomes of letters that were replayed by their ids.
func (a *deadAct) outcomes(ctx context.Context, s *session, ids []string) error {
	if a.bulk.detach {
		s.Tell("not observed: queue-worker invocation get ID shows what becomes of it")
		return nil
	}
	return s.observe(ctx, ids, a.bulk.observe)
}

// tally counts what was done of how many.
type tally struct{ done, of int }

func (t tally) result() error {
	if t.done == t.of {
		return nil
	}
	return t.failed(fmt.Errorf("%d of %d done", t.done, t.of))
}

// failed is the error of work that was interrupted.
func (t tally) failed(err error) error {
	if t.done > 0 {
		return partlyError{err}
	}
	return err
}
