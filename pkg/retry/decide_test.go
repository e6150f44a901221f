// The decision table, its properties and its price.

package retry

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"queue-worker/pkg/invocation"
)

// defaults are the worker's default settings.
func defaults() Policy {
	return Policy{
		Attempts:      10,
		Initial:       10 * time.Second,
		Max:           2 * time.Minute,
		MaxRetryAfter: time.Hour,
		Codes:         mustCodes("408,429,500,502,503,504"),
		DeadCodes:     mustCodes("4xx,5xx"),
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	retryAfter := func(d time.Duration) Decision { return Decision{Outcome: invocation.OutcomeRetry, Wait: d} }
	bury := func(r invocation.Reason) Decision { return Decision{Outcome: invocation.OutcomeDead, Reason: r} }
	with := func(change func(*Policy)) Policy {
		p := defaults()
		change(&p)
		return p
	}
	once := with(func(p *Policy) { p.Attempts = 0 })
	endless := with(func(p *Policy) { p.Attempts = Unlimited })
	keepNothing := with(func(p *Policy) { p.DeadCodes = Codes{} })
	graceful := with(func(p *Policy) { p.UnknownGrace = 30 * time.Second })
	retryNothing := with(func(p *Policy) { p.Codes = Codes{} })
	mailbox := once.ForMailbox(invocation.Terms{Source: invocation.SourceMailbox, MaxRetries: 9, Delay: 4 * time.Second})
	anyMailbox := once.ForMailbox(invocation.Terms{Source: invocation.SourceMailbox, MaxRetries: invocation.Unlimited, Delay: -1})
	tests := []struct {
		name    string
		policy  Policy
		retries int
		result  Result
		want    Decision
	}{
		{"200 is done", defaults(), 0, Result{Status: 200}, Decision{Outcome: invocation.OutcomeDone}},
		{"a redirect that is the function's answer is done", defaults(), 0, Result{Status: 303}, Decision{Outcome: invocation.OutcomeDone}},
		{"a repetition elsewhere is final", defaults(), 0, Result{Status: 307, Redirected: true}, Decision{Outcome: invocation.OutcomeDead, Reason: invocation.NonRetryable}},
		{"a redirect before the gateway is retried", defaults(), 0, Result{Status: 503, Cause: invocation.CauseRedirected}, retryAfter(10 * time.Second)},
		{"101 is done", defaults(), 0, Result{Status: 101}, Decision{Outcome: invocation.OutcomeDone}},
		{"success on the last retry is done", defaults(), 10, Result{Status: 202}, Decision{Outcome: invocation.OutcomeDone}},
		{"an internal header on a success changes nothing", defaults(), 0, Result{Status: 200, Internal: true}, Decision{Outcome: invocation.OutcomeDone}},

		{"a status in the codes waits the first wait", defaults(), 0, Result{Status: 500}, retryAfter(10 * time.Second)},
		{"the third failure waits the third wait", defaults(), 2, Result{Status: 500}, retryAfter(40 * time.Second)},
		{"the last retry is the one that the limit names", defaults(), 9, Result{Status: 500}, retryAfter(2 * time.Minute)},
		{"after it the dead set", defaults(), 10, Result{Status: 500}, bury(invocation.AttemptsExhausted)},
		{"more retries than the limit end as well", defaults(), 11, Result{Status: 500}, bury(invocation.AttemptsExhausted)},
		{"exhausted ones are kept whatever dead_set_codes says", keepNothing, 10, Result{Status: 500}, bury(invocation.AttemptsExhausted)},
		{"a limit of 0 makes one call", once, 0, Result{Status: 500}, bury(invocation.AttemptsExhausted)},
		{"a limit of 0 holds without an answer too", once, 0, Result{Cause: invocation.CauseRefused}, bury(invocation.AttemptsExhausted)},
		{"unlimited continues after a billion retries", endless, 1_000_000_000, Result{Status: 500}, retryAfter(2 * time.Minute)},
		{"unlimited continues at the end of the integers", endless, math.MaxInt, Result{Status: 500}, retryAfter(2 * time.Minute)},
		{"a negative limit that is not unlimited is 0", with(func(p *Policy) { p.Attempts = -2 }), 0, Result{Status: 500}, bury(invocation.AttemptsExhausted)},
		{"a negative number of retries counts as none", defaults(), -7, Result{Status: 500}, retryAfter(10 * time.Second)},

		{"a status outside the codes is final", defaults(), 0, Result{Status: 404}, bury(invocation.NonRetryable)},
		{"a final status is final on a retry too", defaults(), 3, Result{Status: 501}, bury(invocation.NonRetryable)},
		{"a final status that the dead set does not keep is discarded", keepNothing, 0, Result{Status: 404}, Decision{Outcome: invocation.OutcomeDropped, Reason: invocation.NonRetryable}},
		{"an internal error is retried whatever the codes", retryNothing, 0, Result{Status: 400, Internal: true}, retryAfter(10 * time.Second)},
		{"internal errors are exhausted too", retryNothing, 10, Result{Status: 503, Internal: true}, bury(invocation.AttemptsExhausted)},
		{"no answer is retried whatever the codes", retryNothing, 0, Result{Cause: invocation.CauseTimeout}, retryAfter(10 * time.Second)},
		{"an answer that broke off is no success", retryNothing, 0, Result{Status: 200, Cause: invocation.CauseReset}, retryAfter(10 * time.Second)},
		{"a status of 0 counts as 500", defaults(), 0, Result{}, retryAfter(10 * time.Second)},
		{"a status below the valid ones counts as 500", defaults(), 0, Result{Status: 42}, retryAfter(10 * time.Second)},
		{"a status above the valid ones counts as 500", retryNothing, 0, Result{Status: 999}, bury(invocation.NonRetryable)},

		{"a function that refuses retries is dead at once", defaults(), 0, Result{Status: 503, NoRetry: true}, bury(invocation.NonRetryable)},
		{"it is kept whatever dead_set_codes says, like what used up its retries", keepNothing, 0, Result{Status: 503, NoRetry: true}, bury(invocation.NonRetryable)},
		{"410 is dead at once even where it is in the codes", with(func(p *Policy) { p.Codes = mustCodes("4xx") }), 0, Result{Status: 410}, bury(invocation.NonRetryable)},
		{"410 is final where it is not", defaults(), 0, Result{Status: 410}, bury(invocation.NonRetryable)},
		{"and dead_set_codes decides then", keepNothing, 0, Result{Status: 410}, Decision{Outcome: invocation.OutcomeDropped, Reason: invocation.NonRetryable}},
		{"a success that refuses retries is a success", defaults(), 0, Result{Status: 200, NoRetry: true}, Decision{Outcome: invocation.OutcomeDone}},
		{"OpenFaaS cannot refuse for the function", defaults(), 0, Result{Status: 503, NoRetry: true, Internal: true}, retryAfter(10 * time.Second)},
		{"no answer refuses nothing", defaults(), 0, Result{Cause: invocation.CauseReset, NoRetry: true}, retryAfter(10 * time.Second)},
		{"who takes a callback has no say", defaults().ForCallback(), 0, Result{Status: 410, NoRetry: true}, retryAfter(10 * time.Second)},
		{"a mailbox delivers again, whatever is said", mailbox, 0, Result{Status: 410, NoRetry: true}, retryAfter(4 * time.Second)},

		{"a function that is missing is waited for", graceful, 0, Result{Status: 404, Missing: noon}, retryAfter(10 * time.Second)},
		{"no longer than the grace", graceful, 1, Result{Status: 404, Missing: noon.Add(-20 * time.Second)}, retryAfter(10 * time.Second)},
		{"then it is dead", graceful, 2, Result{Status: 404, Missing: noon.Add(-30 * time.Second)}, bury(invocation.FunctionNotFound)},
		{"the last retry comes at the end of the grace", with(func(p *Policy) { p.UnknownGrace, p.Attempts = 30*time.Second, 1 }), 0, Result{Status: 404, Missing: noon.Add(-time.Second)}, retryAfter(29 * time.Second)},
		{"without retries it is dead at once", with(func(p *Policy) { p.UnknownGrace, p.Attempts = 30*time.Second, 0 }), 0, Result{Status: 404, Missing: noon}, bury(invocation.FunctionNotFound)},
		{"without a wait it is asked for every second", with(func(p *Policy) { p.UnknownGrace, p.Initial = 30*time.Second, 0 }), 0, Result{Status: 404, Missing: noon}, retryAfter(time.Second)},
		{"without an end of retries too", with(func(p *Policy) { p.UnknownGrace, p.Attempts = 30*time.Second, Unlimited }), math.MaxInt, Result{Status: 404, Missing: noon}, retryAfter(30 * time.Second)},
		{"without a grace it is dead at once", defaults(), 0, Result{Status: 404, Missing: noon}, bury(invocation.FunctionNotFound)},
		{"a clock that was set back makes the grace no longer", graceful, 3, Result{Status: 404, Missing: noon.Add(time.Hour)}, retryAfter(30 * time.Second)},
		{"it is kept whatever dead_set_codes says", keepNothing, 0, Result{Status: 404, Missing: noon}, bury(invocation.FunctionNotFound)},
		{"it may be too late before the grace period ends", graceful, 0, Result{Status: 404, Missing: noon, Expires: noon.Add(time.Second)}, bury(invocation.MaxAgeExceeded)},

		{"malformed is buried at once", defaults(), 0, Result{Malformed: true}, bury(invocation.Malformed)},
		{"malformed is buried whatever the limit", endless, 5, Result{Malformed: true, Status: 503}, bury(invocation.Malformed)},
		{"refused is buried at once", endless, 0, Result{Refused: true}, bury(invocation.CallbackRefused)},
		{"malformed comes before refused", defaults(), 0, Result{Malformed: true, Refused: true}, bury(invocation.Malformed)},

		{"a callback that is taken is done", defaults().ForCallback(), 0, Result{Status: 202}, Decision{Outcome: invocation.OutcomeDone}},
		{"a mailbox delivery whose function redirects is retried", defaults().ForCallback(), 0, Result{Status: 307, Redirected: true}, retryAfter(10 * time.Second)},
		{"a callback that redirects is retried", defaults().ForCallback(), 0, Result{Status: 302}, retryAfter(10 * time.Second)},
		{"a callback answered 101 is retried", defaults().ForCallback(), 0, Result{Status: 101}, retryAfter(10 * time.Second)},
		{"a callback answered 404 is retried", retryNothing.ForCallback(), 0, Result{Status: 404}, retryAfter(10 * time.Second)},
		{"a callback is exhausted too", defaults().ForCallback(), 10, Result{Status: 404}, bury(invocation.AttemptsExhausted)},

		{"a retry that comes just in time is made", defaults(), 0, Result{Status: 500, Expires: noon.Add(10 * time.Second)}, retryAfter(10 * time.Second)},
		{"one that would come too late is not", defaults(), 0, Result{Status: 500, Expires: noon.Add(10*time.Second - 1)}, bury(invocation.MaxAgeExceeded)},
		{"a Retry-After may make it too late", defaults(), 0, Result{Status: 429, RetryAfter: "60", Expires: noon.Add(time.Minute - 1)}, bury(invocation.MaxAgeExceeded)},
		{"the limit of retries is the reason when both hold", defaults(), 10, Result{Status: 500, Expires: noon}, bury(invocation.AttemptsExhausted)},
		{"a success is one however late it comes", defaults(), 0, Result{Status: 200, Expires: noon.Add(-time.Hour)}, Decision{Outcome: invocation.OutcomeDone}},
		{"a final status is final however late it comes", defaults(), 0, Result{Status: 404, Expires: noon.Add(-time.Hour)}, bury(invocation.NonRetryable)},

		{"the producer retries after a second", defaults().ForProducer(), 0, Result{Status: 400}, retryAfter(time.Second)},
		{"the producer doubles its wait", defaults().ForProducer(), 4, Result{Status: 500}, retryAfter(16 * time.Second)},
		{"the producer waits no longer than anybody else", defaults().ForProducer(), 9, Result{Status: 500}, retryAfter(2 * time.Minute)},
		{"the producer waits longer when it is asked to", defaults().ForProducer(), 0, Result{Status: 503, RetryAfter: "7"}, retryAfter(7 * time.Second)},
		{"the producer gives up after as many retries as others", defaults().ForProducer(), 10, Result{Status: 400}, bury(invocation.AttemptsExhausted)},
		{"201 satisfies the producer", defaults().ForProducer(), 0, Result{Status: 201}, Decision{Outcome: invocation.OutcomeDone}},

		{"the mailbox delivers again after its delay", mailbox, 0, Result{Status: 404}, retryAfter(4 * time.Second)},
		{"the mailbox's delay does not grow", mailbox, 8, Result{Cause: invocation.CauseRefused}, retryAfter(4 * time.Second)},
		{"the mailbox's delay is the same whatever is asked for", mailbox, 1, Result{Status: 429, RetryAfter: "60"}, retryAfter(4 * time.Second)},
		{"the mailbox has the limit of the delivery", mailbox, 9, Result{Status: 500}, bury(invocation.AttemptsExhausted)},
		{"the mailbox continues without a limit", anyMailbox, 1 << 40, Result{Status: 302}, retryAfter(time.Second)},
		{"204 satisfies the mailbox", mailbox, 3, Result{Status: 204}, Decision{Outcome: invocation.OutcomeDone}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.policy.Decide(tt.retries, tt.result, noon, never(t)); got != tt.want {
				t.Errorf("decision is %s %v %q, want %s %v %q", got.Outcome, got.Wait, got.Reason, tt.want.Outcome, tt.want.Wait, tt.want.Reason)
			}
		})
	}
}

// R1: a limit of N makes exactly 1+N calls, then the dead set.
func TestR1_TheLimitCountsRetriesAfterTheFirstCall(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{0, 1, 3, 30} {
		p := defaults()
		p.Attempts = limit
		calls := 1
		for p.Decide(calls-1, Result{Status: 500}, noon, never(t)).Outcome == invocation.OutcomeRetry {
			calls++
		}
		if calls != 1+limit {
			t.Errorf("a limit of %d makes %d calls, want %d", limit, calls, 1+limit)
		}
	}
}

func TestA429WaitsAtLeastHalfInEveryMode(t *testing.T) {
	t.Parallel()
	want := map[Mode]time.Duration{Exponential: 40e9, Full: 20e9, Equal: 20e9, Constant: 10e9}
	for _, m := range Modes() {
		p := defaults()
		p.Mode = m
		if got := p.Decide(2, Result{Status: 429}, noon, always(0)); got.Wait != want[m] {
			t.Errorf("%s waits %v after a 429, want %v", m, got.Wait, want[m])
		}
	}
	p := Policy{Attempts: 1, Initial: 5, Max: 5, Mode: Full, Codes: mustCodes("429")}
	if got := p.Decide(0, Result{Status: 429}, noon, always(0)); got.Wait != 3 {
		t.Errorf("half of 5ns is rounded to %v, want 3ns", got.Wait)
	}
}

// TestPropertyDecide holds every decision against the rules, for policies and
// outcomes of any kind.
func TestPropertyDecide(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := anyPolicy(t)
		retries := rapid.OneOf(rapid.IntRange(0, 12), rapid.Int()).Draw(t, "retries")
		o := Result{
			Status:     rapid.OneOf(rapid.IntRange(100, 599), rapid.Int()).Draw(t, "status"),
			Cause:      rapid.SampledFrom(append(invocation.Causes(), "", "", "", "")).Draw(t, "cause"),
			Internal:   rapid.Bool().Draw(t, "internal"),
			NoRetry:    rapid.Float64Range(0, 1).Draw(t, "no retry") > 0.9,
			RetryAfter: rapid.SampledFrom([]string{"", "0", "7", "99999999999999999999", "junk", "Fri, 31 Dec 9999 23:59:59 GMT"}).Draw(t, "retry-after"),
			Malformed:  rapid.Float64Range(0, 1).Draw(t, "malformed") > 0.9,
			Refused:    rapid.Float64Range(0, 1).Draw(t, "refused") > 0.9,
		}
		if rapid.Bool().Draw(t, "expires") {
			o.Expires = noon.Add(time.Duration(rapid.Int64Range(-1e10, 1e12).Draw(t, "in")))
		}
		if rapid.Float64Range(0, 1).Draw(t, "missing") > 0.9 {
			p.UnknownGrace = time.Duration(rapid.Int64Range(0, 1e11).Draw(t, "grace"))
			o.Missing = noon.Add(time.Duration(rapid.Int64Range(-1e11, 1e11).Draw(t, "since")))
		}
		d := p.Decide(retries, o, noon, drawn(t))
		switch limit := max(p.Max, p.MaxRetryAfter, p.UnknownGrace, 0); {
		case d.Wait < 0:
			t.Fatalf("it waits %d, want at least 0", d.Wait)
		case d.Wait > limit:
			t.Fatalf("it waits %d, want at most %v", d.Wait, limit)
		}
		if (d.Outcome == invocation.OutcomeDead || d.Outcome == invocation.OutcomeDropped) != (d.Reason != "") {
			t.Fatalf("%s with reason %q, want d.Outcome == invocation.OutcomeDead || d.Outcome == invocation.OutcomeDropped %v", d.Outcome, d.Reason, d.Reason != "")
		}
		if d.Outcome != invocation.OutcomeRetry && d.Wait != 0 {
			t.Fatalf("%s with a wait of %v", d.Outcome, d.Wait)
		}
		if d.Outcome == invocation.OutcomeRetry && (o.Malformed || o.Refused || p.Attempts >= 0 && max(retries, 0) >= p.Attempts) {
			t.Fatalf("a retry that is not allowed after %d of %d", retries, p.Attempts)
		}
		if d.Outcome == invocation.OutcomeRetry && !o.Expires.IsZero() && noon.Add(d.Wait).After(o.Expires) {
			t.Fatal("a retry that comes too late")
		}
		if p.Only2xx && (d.Outcome == invocation.OutcomeDropped || d.Reason == invocation.NonRetryable) {
			t.Fatal("a failure that is not retried")
		}
		if d.Outcome == invocation.OutcomeDone && (o.Cause != "" || o.Status < 100 || o.Status >= 400) {
			t.Fatal("done without a success")
		}
		if o.Cause != "" && (d.Outcome == invocation.OutcomeDropped || d.Reason == invocation.NonRetryable) {
			t.Fatal("an attempt without an answer is never final")
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	p := defaults()
	p.Mode = Equal
	random := always(0.25)
	for _, bb := range []struct {
		name    string
		retries int
		result  Result
	}{
		{"done", 0, Result{Status: 200}},
		{"first retry", 0, Result{Status: 500}},
		{"late retry", 9, Result{Status: 500}},
		{"Retry-After in seconds", 3, Result{Status: 429, RetryAfter: "60"}},
		{"Retry-After as a date", 3, Result{Status: 503, RetryAfter: "Thu, 05 Mar 2026 12:05:00 GMT"}},
		{"final", 0, Result{Status: 404}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Decide(bb.retries, bb.result, noon, random)
			}
		})
	}
	b.Run("a billion retries with a wait of up to 292 years", func(b *testing.B) {
		q := Policy{Attempts: Unlimited, Initial: 1, Max: math.MaxInt64, Codes: p.Codes}
		b.ReportAllocs()
		for b.Loop() {
			q.Decide(1_000_000_000, Result{Status: 500}, noon, random)
		}
	})
}

// TestDecideMakesNoGarbage keeps the hot path free of allocations.
func TestDecideMakesNoGarbage(t *testing.T) { // not parallel: AllocsPerRun counts the whole process
	p := defaults()
	p.Mode = Equal
	random := always(0.25)
	for _, o := range []Result{{Status: 200}, {Status: 500}, {Status: 429, RetryAfter: "60"}, {Status: 404}, {Cause: invocation.CauseDNS}} {
		if n := testing.AllocsPerRun(100, func() { p.Decide(9, o, noon, random) }); n != 0 {
			t.Errorf("%+v allocates %v times, want 0", o, n)
		}
	}
}

// A mailbox delivery may have no limit of retries, and its caller chooses the delay.
func TestAMailboxIsNotCalledWithoutPause(t *testing.T) {
	t.Parallel()
	for delay, want := range map[time.Duration]time.Duration{
		-1: time.Second, 0: time.Second, time.Millisecond: time.Second, time.Second: time.Second, 4 * time.Second: 4 * time.Second,
	} {
		p := Policy{Attempts: 3}.ForMailbox(invocation.Terms{Source: invocation.SourceMailbox, MaxRetries: invocation.Unlimited, Delay: delay})
		for _, retries := range []int{0, 1, 1_000_000} {
			if d := p.Decide(retries, Result{Status: 500}, noon, nil); d != (Decision{Outcome: invocation.OutcomeRetry, Wait: want}) {
				t.Errorf("with a delay of %s, retry %d is %+v, want %+v", delay, retries+1, d, Decision{Outcome: invocation.OutcomeRetry, Wait: want})
			}
		}
	}
}
