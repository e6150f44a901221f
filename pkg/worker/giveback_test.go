package worker

import (
	"context"
	"testing"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// taker notes what lanes have taken and not given back.
type taker struct {
	shelf
	taken map[invocation.ID]bool
}

func (x taker) Take(ctx context.Context, l invocation.Lane, from store.Ready, limit int) ([]store.Ready, error) {
	found, err := x.shelf.Take(ctx, l, from, limit)
	for _, r := range found {
		x.taken[r.ID] = true
	}
	return found, err
}

func (x taker) Give(_ context.Context, entries []store.Ready) error {
	for _, r := range entries {
		delete(x.taken, r.ID)
	}
	return nil
}

func TestAtTheEndLanesGiveBackWhatTheyDidNotCall(t *testing.T) {
	t.Parallel()
	x := taker{shelf{}, map[invocation.ID]bool{}}
	x.fill("fn", 10)
	l := x.open(1)
	h, ok := l.take(t.Context(), 0, x)
	if !ok {
		t.Fatal("nothing was taken, want ok")
	}
	if got, want := len(x.taken), 10; got != want {
		t.Fatalf("%d entries are taken, want %d", got, want)
	}
	l.stop()
	l.finish(h.Ready)
	l.giveAllBack(t.Context(), x)
	if got, want := len(x.taken), 1; got != want {
		t.Errorf("%d entries are taken at the end, want %d", got, want)
	}
	if !x.taken[h.ID] {
		t.Error("the entry that was called was given back")
	}
}

func TestADroppedLaneGivesBackItsWindow(t *testing.T) {
	t.Parallel()
	x := taker{shelf{}, map[invocation.ID]bool{}}
	x.fill("dropped", 3)
	l := x.open(1)
	h, _ := l.take(t.Context(), 0, x)
	x.settle(h.Ready)
	l.finish(h.Ready)
	dropped := l.lanes[h.Lane]
	l.mu.Lock()
	l.residents[0].absent = true
	l.drop(dropped)
	gone := l.lanes[h.Lane] == nil
	l.mu.Unlock()
	if !gone {
		t.Fatal("the lane cannot be dropped, want gone")
	}
	l.giveBack(t.Context(), x)
	delete(x.taken, h.ID)
	if got := len(x.taken); got != 0 {
		t.Errorf("%d entries of a dropped lane are taken, want 0", got)
	}
}
