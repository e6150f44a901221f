package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/retry"
)

// logOutcome is the line of an attempt as slog.Logger.Info makes it, which is what the program has always written.
func (w *Worker) logOutcome(a *attempt) {
	s := attrs(a)
	if a.result.Status != 0 {
		s = append(s, "status", a.result.Status)
	}
	if a.result.Cause != "" {
		s = append(s, "cause", string(a.result.Cause))
	}
	s = append(s, "duration", a.result.Duration.Round(time.Microsecond), "retry", progress(a))
	switch a.Outcome {
	case invocation.OutcomeCancelled:
		w.Logger.Info(word(a), append(s, "next", "cancelled")...)
	case invocation.OutcomeDone:
		w.Logger.Info(word(a), append(s, "next", "done")...)
	case invocation.OutcomeRetry:
		s = append(s, "next", "retry")
		if a.result.Cause == invocation.CauseRedirected {
			s = append(s, "detail", a.result.Detail)
		}
		w.Logger.Info(word(a), append(s, "wait", a.Wait, "at", a.next.Format(time.RFC3339Nano))...)
	case invocation.OutcomeDead, invocation.OutcomeDropped:
		next := map[invocation.Outcome]string{invocation.OutcomeDead: "dead", invocation.OutcomeDropped: "discarded"}[a.Outcome]
		s = append(s, "next", next, "reason", string(a.Reason))
		if a.result.Detail != "" {
			s = append(s, "detail", a.result.Detail)
		}
		w.Logger.Warn(word(a), s...)
	}
}

// untimed drops the time of records, which differs between two lines.
type untimed struct{ slog.Handler }

func (h untimed) Handle(ctx context.Context, r slog.Record) error {
	r.Time = time.Time{}
	return h.Handler.Handle(ctx, r)
}

// attemptsOfEveryKind are attempts with every combination of what their line depends on.
func attemptsOfEveryKind() (all []*attempt) {
	for _, kind := range []invocation.Kind{invocation.KindFunction, invocation.KindCallback} {
		for _, result := range []invoke.Result{
			{}, {Status: 200, Duration: 1234567}, {Status: 503, Cause: invocation.CauseRedirected, Detail: "redirected to https://login"}, {Status: 503, Cause: invocation.CauseTimeout, Duration: time.Hour, Detail: `no "answer" =`},
		} {
			for _, outcome := range invocation.Outcomes() {
				for n := range 4 {
					a := &attempt{result: result, next: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
					a.inv = &invocation.Invocation{ID: invocation.ID{1, 2, 3}, CallID: "a call\x1b", Kind: kind, Function: "figlet.\u202e", Retries: 3}
					a.inv.Lane.Name = "url:host:80"
					a.Decision = retry.Decision{Outcome: outcome, Wait: 10 * time.Second, Reason: invocation.AttemptsExhausted}
					a.uncalled, a.unspent = n&1 > 0, n&2 > 0
					a.policy.Attempts = []int{10, retry.Unlimited}[n%2]
					all = append(all, a)
				}
			}
		}
	}
	return all
}

func TestTheLineOfAnAttemptIsTheOneThatItAlwaysWas(t *testing.T) {
	t.Parallel()
	for _, a := range attemptsOfEveryKind() {
		var want, got bytes.Buffer
		for out, log := range map[*bytes.Buffer]func(*Worker, *attempt){&want: (*Worker).logOutcome, &got: (*Worker).logAttempt} {
			for _, h := range []slog.Handler{slog.NewTextHandler(out, nil), slog.NewJSONHandler(out, nil)} {
				log(&Worker{Options: Options{Logger: slog.New(untimed{h})}}, a)
			}
		}
		switch {
		case got.String() != want.String():
			t.Errorf("written is\n%swant: got.String() = %q, want %q\n%s", &got, got.String(), want.String(), &want)
		case want.Len() == 0:
			t.Errorf("written is\n%swant: want.Len() = %d, want not 0\n%s", &got, want.Len(), &want)
		}
		if n := len((&Worker{Options: Options{NumbersInLog: true}}).appendOutcome(nil, a)); n > maxOutcomeAttrs {
			t.Errorf("%d attributes, want at most %d", n, maxOutcomeAttrs)
		}
	}
}

// lineOf is the line of an attempt in JSON; empty for none.
func lineOf(t *testing.T, o Options, a *attempt) map[string]any {
	t.Helper()
	var out bytes.Buffer
	o.Logger = slog.New(slog.NewJSONHandler(&out, nil))
	(&Worker{Options: o}).logAttempt(a)
	line := map[string]any{}
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
	}
	return line
}

func TestNumbersOfAnAttemptAreNumbersInJSON(t *testing.T) {
	t.Parallel()
	a := &attempt{result: invoke.Result{Status: 500, Duration: 1500 * time.Millisecond}, inv: &invocation.Invocation{Retries: 3, Attempts: make([]invocation.Attempt, 3)}}
	a.policy.Attempts, a.Decision = 10, retry.Decision{Outcome: invocation.OutcomeRetry, Wait: 20 * time.Second}
	want := map[string]any{"duration_seconds": 1.5, "attempt": 3.0, "retry_count": 2.0, "retry_limit": 10.0, "wait_seconds": 20.0, "retry": "2/10"}
	line := lineOf(t, Options{NumbersInLog: true}, a)
	for key, value := range want {
		if line[key] != value {
			t.Errorf("%s: got %v, want %v", key, line[key], value)
		}
	}
	if _, ok := lineOf(t, Options{}, a)["retry_count"]; ok {
		t.Error("got numbers, want none on a console")
	}
}

func TestAQuietLogHasWhatWasGivenUp(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[invocation.Outcome]bool{
		invocation.OutcomeDone: false, invocation.OutcomeRetry: false, invocation.OutcomeCancelled: false,
		invocation.OutcomeDead: true, invocation.OutcomeDropped: true,
	} {
		a := &attempt{inv: &invocation.Invocation{}, Decision: retry.Decision{Outcome: outcome}}
		if got := len(lineOf(t, Options{QuietAttempts: true}, a)) > 0; got != want {
			t.Errorf("%v: got a line %v, want %v", outcome, got, want)
		}
	}
}
