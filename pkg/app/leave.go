package app

// What leaves the store, and who is told of it: the intake, which may then ack the
// message, and the watch, for those who wait and those who ask later.

import (
	"context"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/watch"
	"queue-worker/pkg/worker"
)

// watched is the store as all but the intake see it: every end is told. The worker
// tells of its own by Options.Over, once they are settled.
type watched struct {
	*store.Store
	app *App
}

// Settle implements worker.Store. An end is noted before it is written, so that
// whoever finds nothing in the store knows of it.
func (s watched) Settle(ctx context.Context, st store.Settlement) error {
	if st.Verdict == store.Later || st.Verdict == store.Bury {
		err := s.Store.Settle(ctx, st)
		if err == nil {
			s.app.watch.Changed(st.Inv)
		}
		return err
	}
	outcome := store.OutcomeDropped
	if st.Verdict == store.Done {
		outcome = store.OutcomeDone
	}
	withdraw := s.app.watch.Ending(endOf(st.Inv, outcome))
	err := s.Store.Settle(ctx, st)
	if err != nil {
		withdraw()
	}
	return err
}

// Cancel implements api.Invocations.
func (s watched) Cancel(ctx context.Context, id invocation.ID) (*invocation.Invocation, error) {
	if inv, err := s.Get(id); err == nil {
		defer s.app.watch.Ending(endOf(inv, store.OutcomeCancelled))() // order matters: it is told of before
	}
	inv, err := s.Store.Cancel(ctx, id)
	if err == nil {
		s.app.left(inv, store.OutcomeCancelled)
	}
	return inv, err
}

// Drop implements api.Acts.
func (s watched) Drop(ctx context.Context, id invocation.ID) error {
	taken, err := s.Act(ctx, store.Batch{Verb: store.ActDrop, IDs: []invocation.ID{id}})
	if err != nil {
		return err
	}
	return taken[0].Err
}

// Act implements jobs.Store.
func (s watched) Act(ctx context.Context, b store.Batch) ([]store.Taken, error) {
	taken, err := s.Store.Act(ctx, b)
	for _, t := range taken {
		switch {
		case err != nil || t.Err != nil:
		case b.Verb == store.ActCancel:
			s.app.left(t.Inv, store.OutcomeCancelled)
		case b.Verb == store.ActDrop:
			s.app.left(t.Inv, store.OutcomeDropped)
		case b.Verb == store.ActReplay:
			s.app.watch.Changed(t.Inv)
		}
	}
	return taken, err
}

// left tells that an invocation is over because people, or a bound, took it.
func (a *App) left(inv *invocation.Invocation, outcome store.Outcome) {
	a.settled(inv.ID, invocation.ID{})
	a.watch.Ended(endOf(inv, outcome))
}

// forget returns when NATS Streaming has got the acks of what is over. With a
// durable store it got them long before.
func (a *App) forget(ctx context.Context) error {
	if a.store.Durable() {
		return nil
	}
	return a.intake.Flush(ctx)
}

// over tells of an end that the worker has settled. Who it holds a message of the
// door for is told by settled, because a callback may take its place.
func (a *App) over(o worker.Over) {
	if o.Outcome == store.OutcomeDead { // in the store, where everybody finds it
		a.watch.Changed(o.Inv)
		return
	}
	a.watch.Ended(endOf(o.Inv, o.Outcome))
}

func endOf(inv *invocation.Invocation, outcome store.Outcome) watch.End {
	return watch.End{Inv: inv, Outcome: outcome, At: time.Now()}
}
