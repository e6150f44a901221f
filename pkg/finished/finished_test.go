package finished

// Who waits is woken, by the clock of a bubble.

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// idOf is the n-th id.
func idOf(n int) invocation.ID { return invocation.ID{1, 14: byte(n >> 8), 15: byte(n)} }

// inv is the n-th invocation, of a call.
func inv(n int, call string) *invocation.Invocation {
	return &invocation.Invocation{ID: idOf(n), CallID: call, Function: "figlet"}
}

// awaiting is a request that waits for the end of one of its invocations.
type awaiting struct {
	looks atomic.Int64
	err   chan error
}

// await lets a goroutine wait until is reports true.
func await(ctx context.Context, w *Watch, id invocation.ID, call string, is func() bool) *awaiting {
	a := &awaiting{err: make(chan error, 1)}
	go func() {
		a.err <- w.Await(ctx, id, call, func() (bool, error) {
			a.looks.Add(1)
			return is(), nil
		})
	}()
	return a
}

// changed reports a change that is durable.
func changed(w *Watch, c store.Change) { w.Changing([]store.Change{c})(nil) }

func never() bool { return false }

func TestAWaiterLooksAgainAfterEachChangeOfItsInvocationOnly(t *testing.T) {
	t.Parallel()
	other := inv(9, "another")
	tests := []struct {
		name string
		id   invocation.ID
		call string
		tell func(*Watch)
		want int64
	}{
		{"the end of its id", idOf(1), "", func(w *Watch) { w.Ended(store.End{Inv: inv(1, "a")}) }, 2},
		{"the end of its call id", invocation.ID{}, "a", func(w *Watch) { w.Ended(store.End{Inv: inv(1, "a")}) }, 2},
		{"both are one change", idOf(1), "a", func(w *Watch) { w.Ended(store.End{Inv: inv(1, "a")}) }, 2},
		{"taken in", invocation.ID{}, "a", func(w *Watch) { changed(w, store.Change{Inv: inv(1, "a")}) }, 2},
		{"the end of another", idOf(1), "a", func(w *Watch) { w.Ended(store.End{Inv: other}); changed(w, store.Change{Inv: other}) }, 1},
		{"an end that is not written yet", idOf(1), "a", func(w *Watch) { w.Changing([]store.Change{{Inv: inv(1, "a"), Outcome: invocation.OutcomeDone}}) }, 1},
		{"no call id is no call id to wait for", idOf(1), "", func(w *Watch) { w.Ended(store.End{Inv: inv(2, "")}) }, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				w := New()
				a := await(ctx, w, tt.id, tt.call, never)
				synctest.Wait()
				tt.tell(w)
				synctest.Wait()
				if n := a.looks.Load(); n != tt.want {
					t.Errorf("it looked %d times, want %d", n, tt.want)
				}
				cancel()
				if err := <-a.err; !errors.Is(err, context.Canceled) {
					t.Errorf("it ended with %v, want %v", err, context.Canceled)
				}
				switch {
				case w.waiters != 0:
					t.Errorf("%d still wait, want 0", w.waiters)
				case len(w.waiting) != 0:
					t.Errorf("%d still wait, for %v, want len 0", w.waiters, w.waiting)
				}
			})
		})
	}
}

func TestAnEndBetweenLookAndWaitIsNotMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New()
		over := false
		looks := 0
		err := w.Await(t.Context(), idOf(1), "", func() (bool, error) {
			looks++
			before := over
			over = true
			w.Ended(store.End{Inv: inv(1, "a")}) // after it was looked up, before anybody waits
			return before, nil
		})
		switch {
		case err != nil:
			t.Errorf("after %d looks: %v, want nil", looks, err)
		case looks != 2:
			t.Errorf("after %d looks: %v: looks = %d, want 2", looks, err, looks)
		}
	})
}

func TestAwaitEndsWithItsContextWithACloseAndWithTheErrorOfALook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New()
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		timed := await(ctx, w, idOf(1), "", never)
		switch err := <-timed.err; {
		case !errors.Is(err, context.DeadlineExceeded):
			t.Errorf("after %s it ended with %v, want %v", time.Since(start), err, context.DeadlineExceeded)
		case time.Since(start) != 30*time.Second:
			t.Errorf("after %s it ended with %v, want time.Since(start) %v", time.Since(start), err, 30*time.Second)
		}
		broken := errors.New("cannot look")
		if err := w.Await(t.Context(), idOf(1), "", func() (bool, error) { return false, broken }); !errors.Is(err, broken) {
			t.Errorf("it ended with %v, want %v", err, broken)
		}
		waiting := await(t.Context(), w, idOf(1), "", never)
		synctest.Wait()
		w.Close()
		w.Close()
		if err := <-waiting.err; !errors.Is(err, ErrClosed) {
			t.Errorf("at the close it ended with %v, want %v", err, ErrClosed)
		}
		late := await(t.Context(), w, idOf(1), "", never)
		switch err := <-late.err; {
		case !errors.Is(err, ErrClosed):
			t.Errorf("after the close it looked %d times and ended with %v: err = %v, want %v", late.looks.Load(), err, err, ErrClosed)
		case late.looks.Load() != 1:
			t.Errorf("after the close it looked %d times and ended with %v: late.looks.Load() = %d, want 1", late.looks.Load(), err, late.looks.Load())
		}
		if err := w.Await(t.Context(), idOf(1), "", func() (bool, error) { return true, nil }); err != nil {
			t.Errorf("a finished one is reported after the close too: %v, want nil", err)
		}
	})
}

func TestWhoFollowsIsNotSentAwayByAClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New()
		w.Close()
		over := make(chan error, 1)
		go func() {
			over <- w.Follow(t.Context(), idOf(1), func() (bool, error) {
				_, ended := w.Lately(idOf(1))
				return ended, nil
			})
		}()
		synctest.Wait()
		w.Ended(store.End{Inv: inv(1, "a")})
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
}

func TestAllWhoMayWaitAreWokenAndOneMoreIsSentAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New()
		var over atomic.Bool
		all := make([]*awaiting, mostWaiting)
		for i := range all {
			all[i] = await(t.Context(), w, idOf(i%100), "a", over.Load)
		}
		synctest.Wait()
		if err := w.Await(t.Context(), idOf(1), "", func() (bool, error) { return true, nil }); !errors.Is(err, ErrCrowded) {
			t.Errorf("one more gets %v, want %v", err, ErrCrowded)
		}
		over.Store(true)
		w.Ended(store.End{Inv: inv(1, "a")})
		for i, a := range all {
			if err := <-a.err; err != nil {
				t.Fatalf("number %d: %v, want nil", i, err)
			}
		}
		switch {
		case w.waiters != 0:
			t.Errorf("%d still wait, want 0", w.waiters)
		case len(w.waiting) != 0:
			t.Errorf("%d still wait: len(w.waiting) = %d, want 0", w.waiters, len(w.waiting))
		}
	})
}

func TestManyEndsAndManyWhoWaitGetAlong(t *testing.T) {
	t.Parallel()
	w := New()
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			err := w.Await(t.Context(), idOf(i), "", func() (bool, error) {
				_, over := w.Lately(idOf(i))
				return over, nil
			})
			if err != nil {
				t.Errorf("number %d: %v, want nil", i, err)
			}
		})
		group.Go(func() { w.Ended(store.End{Inv: inv(i, "a")}) })
	}
	group.Wait()
}

func BenchmarkEndedWithNobodyWaiting(b *testing.B) {
	w := New()
	b.ReportAllocs()
	for i := range b.N {
		w.Ended(store.End{Inv: inv(i&0xffff, "call")})
	}
}
