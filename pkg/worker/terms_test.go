package worker

// Invocations with terms of their own: the mailbox, the callback producer, and
// those that are worth nothing after a while.

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
)

// mailbox makes an invocation one of the mailbox, as the API does it.
func mailbox(retries, limit int, delay time.Duration) func(*invocation.Invocation) {
	return func(inv *invocation.Invocation) {
		inv.Retries = retries
		inv.Since = inv.Since.Add(delay)
		inv.Terms = &invocation.Terms{Source: invocation.SourceMailbox, MaxRetries: limit, Delay: delay}
	}
}

// produced makes an invocation one of the callback producer.
func produced(url string) func(*invocation.Invocation) {
	return func(inv *invocation.Invocation) {
		inv.Kind, inv.URL = invocation.KindCallback, url
		inv.Lane.Name = invocation.CallbackLanePrefix + "cb.example:80"
		inv.Terms = &invocation.Terms{Source: invocation.SourceProducer}
	}
}

// expiring gives an invocation a time that is over after d.
func expiring(d time.Duration) func(*invocation.Invocation) {
	return func(inv *invocation.Invocation) {
		inv.Terms = &invocation.Terms{Source: invocation.SourceHTTP, Expires: inv.Accepted.Add(d)}
	}
}

// spans are the times between calls, from the end of one to the beginning of the next.
func spans(calls []called) []time.Duration {
	var s []time.Duration
	for n := 1; n < len(calls); n++ {
		s = append(s, calls[n].begun.Sub(calls[n-1].end))
	}
	return s
}

func TestAMailboxDelivery(t *testing.T) {
	for _, tt := range []struct {
		name    string
		terms   func(*invocation.Invocation)
		answers []int
		retries []int // the retry numbers of the calls
		reason  invocation.Reason
	}{
		{"a success is the end of it", mailbox(2, 9, time.Second), []int{204}, []int{2}, ""},
		{"everything but 2xx is delivered again", mailbox(1, 9, time.Second), []int{404, 302, 500, 200}, []int{1, 2, 3, 4}, ""},
		{"its own limit holds, not the worker's", mailbox(1, 2, time.Second), []int{500}, []int{1, 2}, invocation.AttemptsExhausted},
		{"without a limit it is delivered more often than the worker's allows", mailbox(1, invocation.Unlimited, time.Second), append(slices.Repeat([]int{500}, 14), 200), []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, ""},
		{"one whose retries were made elsewhere is not called", mailbox(4, 3, time.Second), []int{200}, nil, invocation.AttemptsExhausted},
		{"a replay of one that may not be retried is called once", mailbox(0, 0, 0), []int{500}, []int{0}, invocation.AttemptsExhausted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(func(_ context.Context, n int, c called) invoke.Result {
					if c.target != "fn" {
						return status(200)
					}
					return status(tt.answers[min(n, len(tt.answers)-1)])
				})
				s := defaults(t)
				s.caller = f
				r := start(t, s)
				m := calling("fn", "http://cb.example/done")
				m.Annotations = map[string]string{"com.openfaas.retry.attempts": "0"}
				begun := time.Now()
				id := r.acceptAs(m, tt.terms)
				pass(time.Hour)

				calls := f.of("fn")
				var got []int
				for n, c := range calls {
					got = append(got, c.Retry)
					if n > 0 && c.begun.Sub(calls[n-1].end) != c.Terms.Delay {
						t.Errorf("retry %d comes %s after the one before", n, c.begun.Sub(calls[n-1].end))
					}
				}
				if !slices.Equal(got, tt.retries) {
					t.Errorf("the calls got %v, want %v", got, tt.retries)
				}
				if len(calls) > 0 && calls[0].begun.Sub(begun) != calls[0].Terms.Delay {
					t.Errorf("the first call comes after %s", calls[0].begun.Sub(begun))
				}
				if tt.reason != "" {
					switch inv := r.letter(id); {
					case inv.Reason != tt.reason:
						t.Errorf("the dead letter is %+v, want reason %v", inv, tt.reason)
					case inv.Calls() != len(calls):
						t.Errorf("the dead letter is %+v, want calls %d", inv, len(calls))
					}
				}
				// Its callback comes once, in the end, whatever the end.
				if n := len(f.of("http://cb.example/done")); n != 1 {
					t.Errorf("%d callbacks, want 1", n)
				}
				if r.holds.count() != 0 {
					t.Error("its end was not reported, want count 0")
				}
			})
		})
	}
}

func TestAProducersMessage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(context.Context, int, called) invoke.Result
		waits  []time.Duration
		reason invocation.Reason
	}{
		{"is posted once when it is taken", statuses(201), nil, ""},
		{"is posted again after 1s, 2s, 4s", statuses(400, 302, 500, 200), []time.Duration{1, 2, 4}, ""},
		{"is dead after as many retries as others have", statuses(400), []time.Duration{1, 2, 4, 8, 16, 32, 64, 120, 120, 120}, invocation.AttemptsExhausted},
		{"is dead at once when it leads where it must not", func(context.Context, int, called) invoke.Result { return invoke.Result{Refused: true, Detail: "no"} }, nil, invocation.CallbackRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(tt.answer)
				s := defaults(t)
				s.caller = f
				r := start(t, s)
				const url = "http://cb.example/cb"
				// A callback of its own is asked for and not made.
				id := r.acceptAs(message{Body: []byte(`{"message":"hello"}`), Header: map[string][]string{"X-Callback-Url": {"http://cb.example/loop"}}}, produced(url))
				pass(time.Hour)
				calls := f.of(url)
				got := spans(calls)
				for n := range got {
					got[n] /= time.Second
				}
				if len(calls) == 0 || !slices.Equal(got, tt.waits) {
					t.Errorf("%d calls, with the waits %v, want %v", len(calls), got, tt.waits)
				}
				for _, c := range calls {
					switch {
					case c.body != `{"message":"hello"}`:
						t.Errorf("posted %q as %v: c.body = %q, want \"{\\\"message\\\":\\\"hello\\\"}\"", c.body, c.Terms, c.body)
					case c.Terms.Source != invocation.SourceProducer:
						t.Errorf("posted %q as %v, want Source %v", c.body, c.Terms, invocation.SourceProducer)
					}
				}
				if tt.reason != "" {
					if inv := r.letter(id); inv.Reason != tt.reason {
						t.Errorf("the dead letter is %+v, want Reason %q", inv, tt.reason)
					}
				}
				if n := len(f.of("http://cb.example/loop")); n != 0 {
					t.Errorf("%d callbacks, want 0", n)
				}
				if n := len(r.log.lines(t, "posted")); n != len(calls) {
					t.Errorf("%d lines for %d calls, want %d", n, len(calls), len(calls))
				}
			})
		})
	}
}

func TestMaxAge(t *testing.T) {
	for _, tt := range []struct {
		name    string
		terms   func(*invocation.Invocation)
		paused  time.Duration // the only slot is taken so long
		answers []int
		calls   int
		status  int // of the last attempt
		dead    bool
	}{
		{"what ends in time is done", expiring(time.Minute), 0, []int{200}, 1, 0, false},
		{"a retry that comes in time is made", expiring(30 * time.Second), 0, []int{500, 500, 200}, 3, 0, false},
		{"one that would come too late is not waited for", expiring(30*time.Second - 1), 0, []int{500}, 2, 500, true},
		{"what could not be called in time is not called", expiring(time.Minute), time.Minute + time.Second, []int{200}, 0, 0, true},
		{"what can be called at the last moment is called", expiring(time.Minute), time.Minute, []int{200}, 1, 0, false},
		{"what falls due too late is not called", func(inv *invocation.Invocation) {
			expiring(time.Minute)(inv)
			inv.Since = inv.Since.Add(time.Hour)
		}, 0, []int{200}, 0, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(func(ctx context.Context, n int, c called) invoke.Result {
					switch c.target {
					case "slow":
						return takes(ctx, tt.paused, status(200))
					case "fn":
						return status(tt.answers[min(n, len(tt.answers)-1)])
					}
					return status(200)
				})
				s := defaults(t)
				s.caller, s.inflight = f, 1
				r := start(t, s)
				if tt.paused > 0 {
					r.accept(to("slow"))
					synctest.Wait() // until it has the slot
				}
				id := r.acceptAs(calling("fn", "http://cb.example/done"), tt.terms)
				pass(2 * time.Hour)
				calls := f.of("fn")
				if len(calls) != tt.calls {
					t.Fatalf("%d calls, want %d", len(calls), tt.calls)
				}
				if tt.dead {
					inv := r.letter(id)
					switch {
					case inv.Reason != invocation.MaxAgeExceeded:
						t.Errorf("the dead letter is %+v, want reason %v", inv, invocation.MaxAgeExceeded)
					case inv.LastStatus() != tt.status:
						t.Errorf("the dead letter is %+v, want LastStatus %v", inv, tt.status)
					case inv.Calls() != tt.calls:
						t.Errorf("the dead letter is %+v, want calls %v", inv, tt.calls)
					}
				} else if len(r.letters()) != 0 {
					t.Errorf("dead: %+v, want 0 letters", r.letters()[0])
				}
				posts := f.of("http://cb.example/done")
				switch {
				case len(posts) != 1:
					t.Errorf("the callbacks are %+v, want len 1", posts)
				case posts[0].Terms != nil:
					t.Errorf("the callbacks are %+v, want [0].Terms nil", posts)
				}
				if n := len(r.log.lines(t, "not called")); (n == 1) != (tt.dead && tt.calls == 0) {
					t.Errorf("%d lines of what was not called: n == 1 = %v, want %v\n%s", n, n == 1, tt.dead && tt.calls == 0, r.log)
				}
			})
		})
	}
}
