// File leave.go reports invocations that leave the store: to the intake, which may then
// ack the message, and to the watch, for waiting and later requests.

package app

import (
	"context"
	"time"

	"queue-worker/pkg/finished"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/worker"
)

// watched is the store as all but the intake see it: every end is reported. The worker
// reports its own by Options.Over, once they are settled.
type watched struct {
	store.Store
	app *App
}

// Settle implements worker.Store. An end is noted before it is written, so that
// a reader that finds nothing in the store finds it in the Watch.
func (s watched) Settle(ctx context.Context, st store.Settlement) error {
	if !st.Outcome.Leaves() {
		err := s.Store.Settle(ctx, st)
		if err == nil {
			s.app.watch.Changed(st.Inv)
		}
		return err
	}
	withdraw := s.app.watch.Ending(endOf(st.Inv, st.Outcome))
	err := s.Store.Settle(ctx, st)
	if err != nil {
		withdraw()
	}
	return err
}

// Cancel implements api.Invocations.
func (s watched) Cancel(ctx context.Context, id invocation.ID) (*invocation.Invocation, error) {
	defer s.ending([]invocation.ID{id}, invocation.OutcomeCancelled)() // order matters: it is noted before
	inv, err := s.Store.Cancel(ctx, id)
	if err == nil {
		s.app.left(inv, invocation.OutcomeCancelled)
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

// Act implements jobs.Store. What will leave the store is noted before, as in Settle.
func (s watched) Act(ctx context.Context, b store.Batch) ([]store.Taken, error) {
	switch b.Verb {
	case store.ActCancel:
		defer s.ending(b.IDs, invocation.OutcomeCancelled)()
	case store.ActDrop:
		defer s.ending(b.IDs, invocation.OutcomeDropped)()
	case store.ActReplay:
	}
	taken, err := s.Store.Act(ctx, b)
	for _, t := range taken {
		switch {
		case err != nil || t.Err != nil:
		case b.Verb == store.ActCancel:
			s.app.left(t.Inv, invocation.OutcomeCancelled)
		case b.Verb == store.ActDrop:
			s.app.left(t.Inv, invocation.OutcomeDropped)
		case b.Verb == store.ActReplay:
			s.app.watch.Changed(t.Inv)
		}
	}
	return taken, err
}

// ending notes the ends of those of ids that are in the store, and returns what takes back
// the notes of those that stayed.
func (s watched) ending(ids []invocation.ID, outcome invocation.Outcome) (withdraw func()) {
	var noted []func()
	for _, id := range ids {
		if inv, err := s.Get(id); err == nil {
			noted = append(noted, s.app.watch.Ending(endOf(inv, outcome)))
		}
	}
	return func() {
		for _, withdraw := range noted {
			withdraw()
		}
	}
}

// left reports that an invocation was removed by an operator or a bound.
func (a *App) left(inv *invocation.Invocation, outcome invocation.Outcome) {
	a.settled(inv.ID, invocation.ID{})
	a.watch.Ended(endOf(inv, outcome))
}

// forget returns when NATS Streaming has got the acks of finished invocations. With a
// durable store it got them long before.
func (a *App) forget(ctx context.Context) error {
	if a.store.Durable() {
		return nil
	}
	return a.intake.Flush(ctx)
}

// over reports an end that the worker has settled. The end of its message is
// reported by settled, because a callback may take its place.
func (a *App) over(o worker.Over) {
	if o.Outcome == invocation.OutcomeDead { // in the store, where every request finds it
		a.watch.Changed(o.Inv)
		return
	}
	a.watch.Ended(endOf(o.Inv, o.Outcome))
}

func endOf(inv *invocation.Invocation, outcome invocation.Outcome) finished.End {
	return finished.End{Inv: inv, Outcome: outcome, At: time.Now()}
}
