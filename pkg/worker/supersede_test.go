package worker

import (
	"context"
	"net/http"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/store"
)

// startReplayed starts a worker whose function fails with 404 at first and then does what then says,
// and replays its dead letter while the callback of its death waits for a retry.
func startReplayed(t *testing.T, then, receiver func(n int) invoke.Result) (*rig, *fake, invocation.ID) {
	t.Helper()
	calls := 0
	f := answers(func(n int) invoke.Result {
		if calls++; calls == 1 {
			return status(404)
		}
		return then(n)
	}, receiver)
	s := defaults(t)
	s.caller = f
	r := start(t, s)
	id := r.accept(calling("fn", hook))
	pass(time.Second)
	if err := r.store.Replay(t.Context(), id); err != nil {
		t.Fatalf("replay: got %v, want no error", err)
	}
	return r, f, id
}

// wantPosts checks status and number of the callbacks that were sent.
func wantPosts(t *testing.T, f *fake, want ...[2]string) {
	t.Helper()
	posts := f.of(hook)
	if len(posts) != len(want) {
		t.Fatalf("callbacks: got %d, want %d", len(posts), len(want))
	}
	for i, p := range posts {
		h := p.Request.Header
		if got := [2]string{h.Get(invoke.HeaderStatus), h.Get(invoke.HeaderSequence)}; got != want[i] {
			t.Errorf("callback %d has status and sequence %v, want %v", i, got, want[i])
		}
	}
}

func TestAReplaySendsNoOlderCallbackAfterItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, f, _ := startReplayed(t, always(200), func(n int) invoke.Result {
			if n == 0 {
				return status(503)
			}
			return status(200)
		})
		replayed := time.Now()
		pass(time.Hour)
		wantPosts(t, f, [2]string{"404", "1"}, [2]string{"200", "2"})
		at, err := time.Parse(time.RFC3339Nano, f.of(hook)[1].Request.Header.Get(invoke.HeaderCompleted))
		if err != nil || at.Before(replayed) {
			t.Errorf("%s: got %v, %v, want a time after %v", invoke.HeaderCompleted, at, err, replayed)
		}
		if got := r.metric("callbacks_superseded_total"); got != 1 {
			t.Errorf("callbacks_superseded_total: got %v, want 1", got)
		}
	})
}

func TestACallbackInFlightIsNotStoppedByAReplay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, n int, c called) invoke.Result {
			switch {
			case c.target != hook:
				return status([]int{404, 200}[n])
			case n == 0:
				return takes(ctx, time.Minute, status(503))
			}
			return status(200)
		})
		s := defaults(t)
		s.caller = f
		r := start(t, s)
		id := r.accept(calling("fn", hook))
		pass(time.Second)
		if err := r.store.Replay(t.Context(), id); err != nil {
			t.Fatalf("replay: got %v, want no error", err)
		}
		pass(time.Hour)
		wantPosts(t, f, [2]string{"404", "1"}, [2]string{"200", "2"})
		if f.of(hook)[0].canceled {
			t.Error("the callback in flight was stopped, want it finished")
		}
	})
}

func TestACancelledReplaySendsALastCallback(t *testing.T) {
	first, last := [2]string{"404", "1"}, [2]string{"499", "2"}
	t.Run("while it is pending", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r, f, id := startReplayed(t, always(503), always(200))
			pass(time.Second) // it was called, and waits for a retry
			if _, err := r.store.Cancel(t.Context(), id); err != nil {
				t.Fatalf("cancel: got %v, want no error", err)
			}
			pass(time.Hour)
			wantPosts(t, f, first, last)
		})
	})
	t.Run("among those that a purge takes", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r, f, id := startReplayed(t, always(503), always(200))
			pass(time.Second)
			taken, err := r.store.Act(t.Context(), store.Batch{Verb: store.ActCancel, IDs: []invocation.ID{id}})
			if err != nil || len(taken) != 1 || taken[0].Err != nil {
				t.Fatalf("purge: got %+v, %v, want the invocation taken", taken, err)
			}
			pass(time.Hour)
			wantPosts(t, f, first, last)
		})
	})
	t.Run("while it is called", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			calls := 0
			f := newFake(func(ctx context.Context, _ int, c called) invoke.Result {
				if c.target == hook {
					return status(200)
				}
				if calls++; calls == 1 {
					return status(404)
				}
				return takes(ctx, time.Hour, status(200))
			})
			s := defaults(t)
			s.caller = f
			r := start(t, s)
			id := r.accept(calling("fn", hook))
			pass(time.Second)
			if err := r.store.Replay(t.Context(), id); err != nil {
				t.Fatalf("replay: got %v, want no error", err)
			}
			pass(time.Minute)
			if !r.worker.Cancel(id) {
				t.Fatal("cancel: got false, want true")
			}
			pass(time.Hour)
			wantPosts(t, f, first, last)
		})
	})
}

func TestADroppedLetterSendsNoLastCallback(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, f, id := startReplayed(t, always(404), always(200))
		pass(time.Hour)
		if err := r.store.Drop(t.Context(), id); err != nil {
			t.Fatalf("drop: got %v, want no error", err)
		}
		pass(time.Hour)
		wantPosts(t, f, [2]string{"404", "1"}, [2]string{"404", "2"})
	})
}

func TestTheNumberOfACallbackIsItsOwn(t *testing.T) {
	t.Parallel()
	accepted := time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC)
	for _, tt := range []struct {
		name     string
		callback invocation.Invocation
		want     string
	}{
		{"one of an earlier version is the first", invocation.Invocation{Origin: invocation.ID{1}}, "1"},
		{"its header cannot pretend another", invocation.Invocation{Origin: invocation.ID{1}, Sequence: 3}, "3"},
		{"what the producer posts has none", invocation.Invocation{}, "of the caller"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.callback.Accepted = accepted
			header := http.Header{invoke.HeaderSequence: {"of the caller"}, invoke.HeaderCompleted: {"of the caller"}}
			number(header, &tt.callback)
			if got := header.Get(invoke.HeaderSequence); got != tt.want {
				t.Errorf("%s: got %q, want %q", invoke.HeaderSequence, got, tt.want)
			}
			want := "2026-03-01T12:00:00.000000005Z"
			if tt.callback.Origin.IsZero() {
				want = "of the caller"
			}
			if got := header.Get(invoke.HeaderCompleted); got != want {
				t.Errorf("%s: got %q, want %q", invoke.HeaderCompleted, got, want)
			}
		})
	}
}
