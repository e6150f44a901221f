package storetest

import (
	"context"

	gocmp "github.com/google/go-cmp/cmp"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// wantTally checks what is counted for a job.
func (w *world) wantTally(job invocation.ID, want store.Tally) {
	w.Helper()
	got, known, err := w.Tally(context.Background(), job)
	if err != nil || !known {
		w.Errorf("counts of job %s: got none, %v, want %+v", job, err, want)
		return
	}
	if d := gocmp.Diff(want, got); d != "" {
		w.Errorf("counts of job %s (-want +got):\n%s", job, d)
	}
}

// replayFor replays dead letters on behalf of a job.
func (w *world) replayFor(job invocation.ID, all ...*invocation.Invocation) {
	w.Helper()
	for _, x := range w.act(store.Batch{Verb: store.ActReplay, IDs: idsOf(all...), Job: job}) {
		if x.Err != nil {
			w.Fatalf("replay: %v", x.Err)
		}
	}
	for _, inv := range all {
		now, err := w.Get(w.Context(), inv.ID)
		if err != nil {
			w.Fatalf("get: %v", err)
		}
		if now.Job != job {
			w.Errorf("job of the record: got %s, want %s", now.Job, job)
		}
		*inv = *now
	}
}

var tallying = []test{
	{"each final outcome of what a job replayed is counted once, and a retry is pending", func(w *world) {
		job, other := invocation.NewID(start), invocation.NewID(start)
		all := w.kill(6)
		w.replayFor(job, all[:5]...)
		w.replayFor(other, all[5])
		if got, _, err := w.Tally(w.Context(), job); err != nil || got.Pending() != 5 {
			w.Errorf("pending: got %d, want 5", got.Pending())
		}
		w.settle(all[0], invocation.OutcomeDone, nil)
		w.bury(all[1])
		w.settle(all[2], invocation.OutcomeDropped, nil)
		if _, err := w.Cancel(w.Context(), all[3].ID); err != nil {
			w.Errorf("cancel: %v", err)
		}
		w.later(all[4], w.clock.Now())
		want := store.Tally{Replayed: 5, Succeeded: 1, FailedAgain: 1, Dropped: 1, Cancelled: 1}
		w.wantTally(job, want)
		w.settle(all[4], invocation.OutcomeDone, nil)
		want.Succeeded++
		w.wantTally(job, want)
		w.wantTally(other, store.Tally{Replayed: 1})
	}},
	{"what becomes of a dead letter later counts for the job that replays it then", func(w *world) {
		job, other := invocation.NewID(start), invocation.NewID(start)
		all := w.kill(3)
		w.replayFor(job, all...)
		for _, inv := range all {
			w.bury(inv)
		}
		want := store.Tally{Replayed: 3, FailedAgain: 3}
		w.wantTally(job, want)
		if err := w.Drop(w.Context(), all[0].ID); err != nil {
			w.Errorf("drop: %v", err)
		}
		if err := w.Replay(w.Context(), all[1].ID); err != nil {
			w.Errorf("replay: %v", err)
		}
		w.replayFor(other, all[2])
		alone, err := w.Get(w.Context(), all[1].ID)
		if err != nil || !alone.Job.IsZero() {
			w.Errorf("replayed without a job: got job %v, %v, want none", alone.Job, err)
		}
		w.settle(alone, invocation.OutcomeDone, nil)
		w.settle(all[2], invocation.OutcomeDone, nil)
		w.wantTally(job, want)
		w.wantTally(other, store.Tally{Replayed: 1, Succeeded: 1})
	}},
	{"a settlement that is refused is not counted", func(w *world) {
		job := invocation.NewID(start)
		inv := w.kill(1)[0]
		w.replayFor(job, inv)
		here := at(inv)
		w.settle(inv, invocation.OutcomeDone, nil)
		_ = w.Settle(w.Context(), store.Settlement{At: here, Outcome: invocation.OutcomeDone, Inv: inv})
		w.wantTally(job, store.Tally{Replayed: 1, Succeeded: 1})
	}},
	{"the counts are there after a restart, until they are dropped", func(w *world) {
		job, other := invocation.NewID(start), invocation.NewID(start)
		all := w.kill(3)
		w.replayFor(job, all[:2]...)
		w.replayFor(other, all[2])
		w.settle(all[0], invocation.OutcomeDone, nil)
		w.restart()
		w.wantTally(job, store.Tally{Replayed: 2, Succeeded: 1})
		if err := w.DropTally(w.Context(), job); err != nil {
			w.Errorf("drop the counts: %v", err)
		}
		w.settle(all[1], invocation.OutcomeDone, nil)
		w.restart()
		if got, known, err := w.Tally(w.Context(), job); err != nil || known {
			w.Errorf("counts of a job that was forgotten: got %+v, want none", got)
		}
		w.wantTally(other, store.Tally{Replayed: 1})
	}},
}
