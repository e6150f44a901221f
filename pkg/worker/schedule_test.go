package worker

import (
	"context"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/retry"
)

func TestAFunctionThatAlwaysFailsIsCalledOnScheduleAndThenDead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, _ int, _ called) invoke.Result {
			return takes(ctx, 3*time.Second, status(500))
		})
		s := defaults(t)
		s.caller = f
		r := start(t, s)
		id := r.accept(to("fn"))
		pass(2 * time.Hour)

		calls := f.of("fn")
		waits := []int{10, 20, 40, 80, 120, 120, 120, 120, 120, 120} // seconds
		if len(calls) != 1+len(waits) {
			t.Fatalf("%d calls, want %d", len(calls), 1+len(waits))
		}
		for n, c := range calls {
			switch {
			case c.Retry != n:
				t.Errorf("call %d is retry %d of %d with %q and %q, want retry %v", n, c.Retry, c.RetryMax, c.CallID, c.body, n)
			case c.RetryMax != 10:
				t.Errorf("call %d is retry %d of %d with %q and %q, want RetryMax 10", n, c.Retry, c.RetryMax, c.CallID, c.body)
			case c.CallID != calls[0].CallID:
				t.Errorf("call %d is retry %d of %d with %q and %q, want CallID %v", n, c.Retry, c.RetryMax, c.CallID, c.body, calls[0].CallID)
			case c.ID != id:
				t.Errorf("call %d is retry %d of %d with %q and %q, want ID %v", n, c.Retry, c.RetryMax, c.CallID, c.body, id)
			case c.body != "hello":
				t.Errorf(`call %d is retry %d of %d with %q and %q, want "hello"`, n, c.Retry, c.RetryMax, c.CallID, c.body)
			}
			// The clock stands still while anybody works, so a wait is exact.
			if n > 0 {
				if wait := c.begun.Sub(calls[n-1].end); wait != time.Duration(waits[n-1])*time.Second {
					t.Errorf("retry %d comes after %s, want %ds", n, wait, waits[n-1])
				}
			}
		}
		inv := r.letter(id)
		switch {
		case inv.Reason != invocation.AttemptsExhausted:
			t.Errorf("the dead letter is %+v, want reason %v", inv, invocation.AttemptsExhausted)
		case inv.LastStatus() != 500:
			t.Errorf("the dead letter is %+v, want LastStatus 500", inv)
		case inv.Retries != 10:
			t.Errorf("the dead letter is %+v, want retries 10", inv)
		case inv.Calls() != 11:
			t.Errorf("the dead letter is %+v, want calls 11", inv)
		}
		for n, a := range inv.Attempts {
			switch {
			case !a.At.Equal(calls[n].begun):
				t.Errorf("attempt %d is remembered as %+v, want At %v", n, a, calls[n].begun)
			case a.Duration != 3*time.Second:
				t.Errorf("attempt %d is remembered as %+v, want Duration %v", n, a, 3*time.Second)
			case a.Status != 500:
				t.Errorf("attempt %d is remembered as %+v, want Status 500", n, a)
			case a.Cause != "":
				t.Errorf("attempt %d is remembered as %+v, want Cause \"\"", n, a)
			}
		}
		if !inv.DiedAt.Equal(calls[10].end) {
			t.Errorf("died at %s, want %s", inv.DiedAt, calls[10].end)
		}
		if r.holds.count() != 0 {
			t.Error("its end was not reported, want count 0")
		}
		if n := r.metric("retries_total", "fn.openfaas-fn"); n != 10 {
			t.Errorf("%v retries counted, want 10", n)
		}
	})
}

func TestHowAnAttemptEnds(t *testing.T) {
	t.Parallel()
	unanswered := invoke.Result{Status: 503, Cause: invocation.CauseReset, Detail: "the connection broke"}
	internal := invoke.Result{Status: 418, Header: map[string][]string{"X-Openfaas-Internal": {"gateway"}}}
	for _, tt := range []struct {
		name    string
		answers []invoke.Result
		change  func(*setup)
		calls   int
		reason  invocation.Reason // of the dead letter; "" for none
		dropped uint64
	}{
		{"200 is done", []invoke.Result{status(200)}, nil, 1, "", 0},
		{"a redirect of the function is an answer", []invoke.Result{status(302)}, nil, 1, "", 0},
		{"a redirect before the function is retried", []invoke.Result{{Status: 503, Cause: invocation.CauseRedirected}, status(200)}, nil, 2, "", 0},
		{"a repetition that must not be made is final", []invoke.Result{{Status: 308, Redirected: true, Detail: "redirected to http://x"}}, nil, 1, invocation.NonRetryable, 0},
		{"a status in retry_http_codes is retried until it is done", []invoke.Result{status(500), status(503), status(204)}, nil, 3, "", 0},
		{"a status that is not is final and goes to the dead set", []invoke.Result{status(404)}, nil, 1, invocation.NonRetryable, 0},
		{"a final status that is not in dead_set_codes is discarded", []invoke.Result{status(404)}, func(s *setup) {
			s.policy.DeadCodes, _ = retry.ParseCodes("5xx")
		}, 1, "", 1},
		{"no answer is retried", []invoke.Result{unanswered, status(200)}, nil, 2, "", 0},
		{"an error of OpenFaaS itself is retried", []invoke.Result{internal, status(200)}, nil, 2, "", 0},
		{"max_retry_attempts=0 is one call and then the dead set", []invoke.Result{status(500)}, func(s *setup) { s.policy.Attempts = 0 }, 1, invocation.AttemptsExhausted, 0},
		{"max_retry_attempts=2 is three calls", []invoke.Result{status(500)}, func(s *setup) { s.policy.Attempts = 2 }, 3, invocation.AttemptsExhausted, 0},
		{"dead_set=off discards what is exhausted", []invoke.Result{status(500)}, func(s *setup) { s.policy.Attempts, s.noDead = 1, true }, 2, "", 1},
		{"dead_set=off discards what is final", []invoke.Result{status(404)}, func(s *setup) { s.noDead = true }, 1, "", 1},
		{"what cannot be sent is malformed and not retried", []invoke.Result{{Malformed: true, Detail: "d"}}, nil, 1, invocation.Malformed, 0},
		{"a retry without a wait comes in the same instant", []invoke.Result{status(500), status(500), status(200)}, func(s *setup) { s.policy.Initial = 0 }, 3, "", 0},
		{"retries without end go on", append(make([]invoke.Result, 0, 40), status(500), status(500), status(500), status(500), status(200)), func(s *setup) { s.policy.Attempts = retry.Unlimited }, 5, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(func(_ context.Context, n int, _ called) invoke.Result { return tt.answers[min(n, len(tt.answers)-1)] })
				s := defaults(t)
				s.caller = f
				if tt.change != nil {
					tt.change(&s)
				}
				r := start(t, s)
				id := r.accept(to("fn"))
				pass(time.Hour)
				if n := len(f.of("fn")); n != tt.calls {
					t.Errorf("%d calls, want %d", n, tt.calls)
				}
				st := r.store.Stats()
				switch {
				case st.Dropped != tt.dropped:
					t.Errorf("%+v, %d unacked, want Dropped %d", st, r.holds.count(), tt.dropped)
				case st.Ready+st.Delayed != 0:
					t.Errorf("%+v, %d unacked: st.Ready+st.Delayed = %d, want 0", st, r.holds.count(), st.Ready+st.Delayed)
				case r.holds.count() != 0:
					t.Errorf("%d unacked, want 0", r.holds.count())
				}
				if tt.reason == "" {
					if len(r.letters()) != 0 {
						t.Errorf("a dead letter: %+v, want 0 letters", r.letters()[0])
					}
					return
				}
				if inv := r.letter(id); inv.Reason != tt.reason {
					t.Errorf("reason %s, want %s", inv.Reason, tt.reason)
				}
			})
		})
	}
}

func TestRetryAfterLengthensTheWait(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, header string
		status       int
		want         time.Duration
	}{
		{"of a 429", "60", 429, time.Minute},
		{"of a 503", "60", 503, time.Minute},
		{"not of a 500", "60", 500, 10 * time.Second},
		{"never shortens it", "1", 429, 10 * time.Second},
		{"up to max_retry_after", "1000000000000000000", 429, time.Hour},
		{"and is ignored when it does not parse", "soon", 429, 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(func(_ context.Context, n int, _ called) invoke.Result {
					if n > 0 {
						return status(200)
					}
					return invoke.Result{Status: tt.status, Header: map[string][]string{"Retry-After": {tt.header}}}
				})
				s := defaults(t)
				s.caller = f
				r := start(t, s)
				r.accept(to("fn"))
				pass(2 * time.Hour)
				calls := f.of("fn")
				if len(calls) != 2 || calls[1].begun.Sub(calls[0].end) != tt.want {
					t.Errorf("calls %+v, want the second after %s", calls, tt.want)
				}
			})
		})
	}
}

func TestAnnotationsOfTheMessageComeFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(418))
		s := defaults(t)
		s.caller = f
		r := start(t, s)
		m := to("fn")
		m.Annotations = map[string]string{
			policy.AnnotationAttempts: "3", policy.AnnotationCodes: "418",
			policy.AnnotationMinWait: "5s", policy.AnnotationMaxWait: "10",
		}
		r.accept(m)
		pass(time.Hour)
		calls := f.of("fn")
		switch {
		case len(calls) != 4:
			t.Fatalf("%d calls, want 4", len(calls))
		case calls[3].Retry != 3:
			t.Fatalf("%d calls, the last %+v: calls[3].Retry = %d, want 3", len(calls), calls[len(calls)-1], calls[3].Retry)
		case calls[3].RetryMax != 3:
			t.Fatalf("%d calls, the last %+v: calls[3].RetryMax = %d, want 3", len(calls), calls[len(calls)-1], calls[3].RetryMax)
		}
		for n, want := range []time.Duration{5 * time.Second, 10 * time.Second, 10 * time.Second} {
			if wait := calls[n+1].begun.Sub(calls[n].end); wait != want {
				t.Errorf("retry %d after %s, want %s", n+1, wait, want)
			}
		}
	})
}

func TestAnInvalidAnnotationIsLoggedOnceTheSettingHolds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(500))
		s := defaults(t)
		s.caller, s.policy.Attempts = f, 1
		r := start(t, s)
		m := to("fn")
		m.Annotations = map[string]string{policy.AnnotationAttempts: "many", policy.AnnotationMaxWait: "15s"}
		r.accept(m)
		r.accept(m)
		pass(time.Hour)
		if n := len(f.of("fn")); n != 4 {
			t.Errorf("%d calls, want 4", n)
		}
		lines := r.log.lines(t, "invalid annotation, worker setting applies")
		if len(lines) != 1 || lines[0]["annotation"] != policy.AnnotationAttempts || lines[0]["function"] != "fn" {
			t.Errorf("logged %v, want once", lines)
		}
	})
}

func TestWarningsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWarnings()
	for n := range 3 * maxWarnings {
		if !w.first(string(rune(n))) {
			t.Fatalf("%d was not said before: w.first(string(rune(n))) = false, want true", n)
		}
		if len(w.said) > maxWarnings {
			t.Fatalf("%d are remembered, want at most %d", len(w.said), maxWarnings)
		}
	}
}

func TestAReplayedDeadLetterHasAllItsRetriesAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(500, 500, 500, 200))
		s := defaults(t)
		s.caller, s.policy.Attempts = f, 1
		r := start(t, s)
		id := r.accept(to("fn"))
		pass(time.Minute)
		if inv := r.letter(id); inv.Calls() != 2 {
			t.Fatalf("%+v, want calls 2", inv)
		}
		if err := r.store.Replay(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		calls := f.of("fn")
		switch {
		case len(calls) != 4:
			t.Fatalf("%d calls: %+v, want len 4", len(calls), calls)
		case calls[2].Retry != 0:
			t.Fatalf("%d calls: %+v: calls[2].Retry = %d, want 0", len(calls), calls, calls[2].Retry)
		case calls[3].Retry != 1:
			t.Fatalf("%d calls: %+v: calls[3].Retry = %d, want 1", len(calls), calls, calls[3].Retry)
		}
		switch st := r.store.Stats(); {
		case st.Done != 1:
			t.Errorf("%+v, want Done 1", st)
		case st.Dead != 0:
			t.Errorf("%+v, want Dead 0", st)
		}
	})
}

func TestAReplayedLetterThatDiesAgainKeepsItsHistory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(500))
		s := defaults(t)
		s.caller, s.policy.Attempts = f, 1
		r := start(t, s)
		id := r.accept(to("fn"))
		pass(time.Minute)
		if err := r.store.Replay(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		switch inv := r.letter(id); {
		case inv.Calls() != 4:
			t.Errorf("%+v, want calls 4", inv)
		case inv.Replays != 1:
			t.Errorf("%+v, want replays 1", inv)
		case inv.Reason != invocation.AttemptsExhausted:
			t.Errorf("%+v, want reason %v", inv, invocation.AttemptsExhausted)
		}
	})
}

func TestEveryRetryIsOnDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(500))
		s := defaults(t)
		s.caller, s.dir, s.fs = f, "data", newDisk()
		r := start(t, s)
		r.accept(to("fn"))
		pass(time.Second)
		r.close()
		_ = start(t, s)
		pass(time.Hour * 2)
		calls := f.of("fn")
		switch {
		case len(calls) != 11:
			t.Errorf("%d calls, want 11", len(calls))
		case calls[1].Retry != 1:
			t.Errorf("%d calls, the second %+v, want Retry 1", len(calls), calls[1])
		case calls[1].begun.Sub(calls[0].end) < 10*time.Second:
			t.Errorf("%d calls, the second %+v: calls[1].begun.Sub(calls[0].end) = %v, want at least %v", len(calls), calls[1], calls[1].begun.Sub(calls[0].end), 10*time.Second)
		}
	})
}
