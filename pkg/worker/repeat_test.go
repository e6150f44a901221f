package worker

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
)

// under is a message with an idempotency key and a call id.
func under(key, callID string) message {
	m := calling("fn", hook)
	m.Header.Set("X-Call-Id", callID)
	m.Header.Set("Idempotency-Key", key)
	return m
}

// startIdempotent starts a worker with a durable store whose function asks for idempotency.
func startIdempotent(t *testing.T, function func(ctx context.Context, n int) invoke.Result) (*rig, *fake) {
	t.Helper()
	f := newFake(func(ctx context.Context, n int, c called) invoke.Result {
		if c.target == hook {
			return status(200)
		}
		return function(ctx, n)
	})
	s := defaults(t)
	s.caller, s.window, s.dir, s.fs = f, time.Hour, "data", newDisk()
	s.fns = &known{annotations: map[string]map[string]string{"fn": {"queue-worker.idempotency": "true"}}}
	return start(t, s), f
}

// result answers 201 with a body after a minute.
func result(ctx context.Context, _ int) invoke.Result {
	return takes(ctx, time.Minute, invoke.Result{Status: 201, Header: http.Header{"X-A": {"b"}}, Body: []byte("result")})
}

// wantCalls checks how often the function was called.
func wantCalls(t *testing.T, f *fake, want int) {
	t.Helper()
	if got := len(f.of("fn")); got != want {
		t.Errorf("calls of the function: got %d, want %d", got, want)
	}
}

// wantCallbacks checks that each call id got one callback, with this status and body.
func wantCallbacks(t *testing.T, f *fake, status, body string, callIDs ...string) {
	t.Helper()
	got := map[string]int{}
	for _, p := range f.of(hook) {
		h := p.Request.Header
		got[h.Get("X-Call-Id")]++
		if h.Get(invoke.HeaderStatus) != status || p.body != body {
			t.Errorf("callback of %s: got %s %q, want %s %q", h.Get("X-Call-Id"), h.Get(invoke.HeaderStatus), p.body, status, body)
		}
	}
	for _, id := range callIDs {
		if got[id] != 1 {
			t.Errorf("callbacks of %s: got %d, want 1", id, got[id])
		}
	}
	if len(got) != len(callIDs) {
		t.Errorf("call ids with a callback: got %v, want %q", got, callIDs)
	}
}

func TestARepetitionEndsAsTheFirst(t *testing.T) {
	t.Run("that is in flight", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r, f := startIdempotent(t, result)
			first := r.accept(under("key", "one"))
			pass(time.Second)
			second := r.accept(under("key", "two"))
			pass(10 * time.Second)
			inv, err := r.store.Get(t.Context(), second)
			if err != nil || inv.Terms == nil || inv.Terms.Repeats != first || len(inv.Attempts) != 0 {
				t.Errorf("the repetition: got %+v, %v, want one of %s without attempts", inv, err, first)
			}
			pass(time.Hour)
			wantCalls(t, f, 1)
			wantCallbacks(t, f, "201", "result", "one", "two")
			if strings.Count(r.log.String(), "not called") != 1 {
				t.Errorf("lines of the repetition: got %d, want 1\n%s", strings.Count(r.log.String(), "not called"), r.log)
			}
		})
	})
	t.Run("that has finished", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r, f := startIdempotent(t, result)
			r.accept(under("key", "one"))
			pass(10 * time.Minute)
			r.accept(under("key", "two"))
			pass(time.Minute)
			wantCalls(t, f, 1)
			wantCallbacks(t, f, "201", "result", "one", "two")
		})
	})
	t.Run("that is dead, and replayed with it", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r, f := startIdempotent(t, func(ctx context.Context, n int) invoke.Result {
				if n == 0 {
					return status(404)
				}
				return result(ctx, n)
			})
			first := r.accept(under("key", "one"))
			pass(time.Second)
			second := r.accept(under("key", "two"))
			pass(time.Minute)
			wantCallbacks(t, f, "404", "", "one", "two")
			if l := r.letter(second); l.Reason != invocation.NonRetryable || len(l.Attempts) != 0 {
				t.Errorf("the repetition: got %s after %d attempts, want %s without any", l.Reason, len(l.Attempts), invocation.NonRetryable)
			}
			for _, id := range []invocation.ID{first, second} {
				if err := r.store.Replay(t.Context(), id); err != nil {
					t.Fatalf("replay: got %v, want no error", err)
				}
			}
			pass(time.Hour)
			wantCalls(t, f, 2)
			if n := len(r.letters()); n != 0 {
				t.Errorf("dead letters: got %d, want none", n)
			}
		})
	})
	t.Run("that was cancelled", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r, f := startIdempotent(t, func(ctx context.Context, _ int) invoke.Result { return status(503) })
			first := r.accept(under("key", "one"))
			pass(time.Second)
			r.accept(under("key", "two"))
			pass(time.Second)
			if _, err := r.store.Cancel(t.Context(), first); err != nil {
				t.Fatalf("cancel: got %v, want no error", err)
			}
			pass(time.Hour)
			wantCalls(t, f, 1)
			wantCallbacks(t, f, "", "")
			if st := r.store.Stats(); st.Dropped != 2 {
				t.Errorf("dropped: got %d, want 2", st.Dropped)
			}
		})
	})
}

func TestAnIdempotencyKeyOfAMessageCounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*message, *setup) // of the second message, and of the worker
		calls  int
	}{
		{"for a function that asks for it", func(*message, *setup) {}, 1},
		{"not for others", func(_ *message, s *setup) { s.fns = &known{} }, 2},
		{"not because a message says so", func(m *message, s *setup) {
			s.fns = &known{}
			m.Annotations = map[string]string{"queue-worker.idempotency": "true"}
		}, 2},
		{"not with idempotency_window=0", func(_ *message, s *setup) { s.window = 0 }, 2},
		{"not with another body", func(m *message, _ *setup) { m.Body = []byte("other") }, 2},
		{"not with another path", func(m *message, _ *setup) { m.Path = "/other" }, 2},
		{"not with another callback URL", func(m *message, _ *setup) { m.Header.Set("X-Callback-Url", hook+"x") }, 2},
		{"not with other credentials", func(m *message, _ *setup) { m.Header.Set("Authorization", "Bearer x") }, 2},
		{"not with another key", func(m *message, _ *setup) { m.Header.Set("Idempotency-Key", "other") }, 2},
		{"with another field in the header", func(m *message, _ *setup) { m.Header.Set("X-Other", "x") }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := answers(always(200), always(200))
				s := defaults(t)
				s.caller, s.window = f, time.Hour
				s.fns = &known{annotations: map[string]map[string]string{"fn": {"queue-worker.idempotency": "true"}}}
				second := under("key", "two")
				tt.change(&second, &s)
				r := start(t, s)
				first := under("key", "one")
				first.Annotations = second.Annotations
				r.accept(first)
				pass(time.Second)
				r.accept(second)
				pass(time.Minute)
				wantCalls(t, f, tt.calls)
			})
		})
	}
}

func TestOtherContentUnderAKeyIsLoggedOncePerFunction(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, f := startIdempotent(t, func(context.Context, int) invoke.Result { return status(200) })
		for _, body := range []string{"a", "b", "c"} {
			m := under("secret-key", body)
			m.Body = []byte(body)
			r.accept(m)
			pass(time.Second)
		}
		wantCalls(t, f, 3)
		if n := strings.Count(r.log.String(), "idempotency key used with other content"); n != 1 {
			t.Errorf("lines: got %d, want 1", n)
		}
		if strings.Contains(r.log.String(), "secret-key") {
			t.Error("the log has the key, want none of it")
		}
	})
}
