package worker

// What a function can take is found out, and what is beyond waits.

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
)

// limited is a function that takes some calls at a time and answers 429 beyond.
type limited struct {
	duration time.Duration

	mu       sync.Mutex
	capacity int
	running  int
	most     int
	served   int
}

func (l *limited) answer(ctx context.Context, _ int, _ called) invoke.Result {
	l.mu.Lock()
	if l.running >= l.capacity {
		l.mu.Unlock()
		return takes(ctx, time.Millisecond, status(http.StatusTooManyRequests))
	}
	l.running++
	l.most = max(l.most, l.running)
	l.mu.Unlock()
	r := takes(ctx, l.duration, status(200))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	l.served++
	return r
}

// seen is how many calls have succeeded, and the most at a time since set.
func (l *limited) seen() (served, most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.served, l.most
}

func (l *limited) set(capacity int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.capacity, l.most = capacity, 0
}

// thousand runs 1,000 invocations against a function that takes five at a time.
func thousand(t *testing.T) (callsEach, ofIdeal float64) {
	t.Helper()
	const n = 1000
	fn := &limited{duration: time.Second, capacity: 5}
	f := newFake(fn.answer)
	s := defaults(t)
	s.caller, s.inflight = f, 50
	s.policy.Attempts, s.policy.Initial, s.policy.Max = 1000, time.Second, 10*time.Second
	r := start(t, s)
	from := time.Now()
	for range n {
		r.accept(to("fn"))
	}
	served := 0
	for served < n && time.Since(from) < time.Hour {
		time.Sleep(100 * time.Millisecond)
		served, _ = fn.seen()
	}
	took := time.Since(from)
	pass(time.Second)
	switch {
	case served != n:
		t.Fatalf("%d of %d succeeded, %d are dead, want served %v", served, n, len(r.letters()), n)
	case len(r.letters()) != 0:
		t.Fatalf("%d of %d succeeded, %d are dead, want 0 letters", served, n, len(r.letters()))
	}
	return float64(len(f.of("fn"))) / n, took.Seconds() / (n * fn.duration.Seconds() / 5)
}

func TestAThousandAgainstAFunctionThatTakesFive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		each, ideal := thousand(t)
		switch {
		case each > 1.2:
			t.Errorf("%.3f calls per invocation in %.2f of the ideal time: each = %v, want at most 1.2", each, ideal, each)
		case ideal > 1.3:
			t.Errorf("%.3f calls per invocation in %.2f of the ideal time: ideal = %v, want at most 1.3", each, ideal, ideal)
		}
		t.Logf("%.3f calls per invocation in %.2f of the ideal time", each, ideal)
	})
}

func TestWithoutTheLimiterTheSameTakesManyMoreCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fn := &limited{duration: time.Second, capacity: 5}
		f := newFake(fn.answer)
		s := defaults(t)
		s.caller, s.inflight, s.lanes.Greedy = f, 50, true
		s.policy.Attempts, s.policy.Initial, s.policy.Max = 1000, time.Second, 10*time.Second
		r := start(t, s)
		for range 1000 {
			r.accept(to("fn"))
		}
		pass(10 * time.Second)
		served, _ := fn.seen()
		switch calls := len(f.of("fn")); {
		case calls < 3*1000:
			t.Errorf("%d calls for %d successes; then the limiter is not what saves them: calls = %d, want at least %d", calls, served, calls, 3*1000)
		case served > 100:
			t.Errorf("%d calls for %d successes; then the limiter is not what saves them: served = %d, want at most 100", calls, served, served)
		}
	})
}

func TestAFunctionThatScalesOutIsFollowed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fn := &limited{duration: 200 * time.Millisecond, capacity: 5}
		f := newFake(fn.answer)
		s := defaults(t)
		s.caller, s.inflight = f, 50
		s.policy.Attempts = 1000
		r := start(t, s)
		for range 5000 {
			r.accept(to("fn"))
		}
		pass(30 * time.Second)
		fn.set(25)
		pass(10 * time.Second)
		if _, most := fn.seen(); most < 25 {
			t.Errorf("10 s after it has grown to 25 at a time it had at most %d, want at least 25", most)
		}
		fn.set(5)
		before := len(f.of("fn"))
		pass(10 * time.Second)
		if calls := len(f.of("fn")) - before; calls > 10*25*2 {
			t.Errorf("10 s after it has shrunk to 5: %d calls, want at most %d", calls, 10*25*2)
		}
	})
}

func TestARetryAfterHoldsTheLaneAndCostsTheOthersNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, n int, c called) invoke.Result {
			if n == 0 {
				return invoke.Result{Status: 429, Header: http.Header{"Retry-After": {"30"}}}
			}
			return takes(ctx, time.Second, status(200))
		})
		s := defaults(t)
		s.caller, s.inflight = f, 1
		r := start(t, s)
		first := r.accept(to("fn"))
		answered := time.Now()
		for range 5 {
			r.accept(to("fn"))
		}
		r.accept(to("other"))
		pass(29 * time.Second)
		if c := f.of("fn"); len(c) != 1 {
			t.Fatalf("%d calls while the function wants none, want 1", len(c))
		}
		if until := r.lanes.Throttle(invocation.Lane{Queue: queue, Name: "fn"}).Until; !until.Equal(answered.Add(30 * time.Second)) {
			t.Errorf("the lane is held until %s, want %v", until, answered.Add(30*time.Second))
		}
		pass(time.Minute)
		c := f.of("fn")
		if len(c) != 7 {
			t.Fatalf("%d calls, want 7", len(c))
		}
		if c[1].ID != first || c[1].begun.Sub(answered) != 30*time.Second {
			t.Errorf("after the pause the first call is of %s after %s, want the one that heard it", c[1].ID, c[1].begun.Sub(answered))
		}
		for _, later := range c[2:] {
			if later.Retry != 0 {
				t.Errorf("an invocation that only waited has spent %d retries, want 0", later.Retry)
			}
		}
		if c := f.of("other"); len(c) != 2 {
			t.Errorf("the other function has %d calls, want 2", len(c))
		}
	})
}

func TestWhatARetryAfterMayAskFor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, value string
		want        time.Duration // that the lane is held
	}{
		{"seconds", "7", 7 * time.Second},
		{"a date", "Sat, 01 Jan 2000 00:01:00 GMT", time.Minute},
		{"a date in the past", "Fri, 31 Dec 1999 00:00:00 GMT", 0},
		{"zero", "0", 0},
		{"less than nothing", "-5", 0},
		{"garbage", "soon", 0},
		{"nothing", "", 0},
		{"more than the longest", "999999999999", time.Hour},
		{"more than a number holds", strings.Repeat("9", 40), time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) { // which begins on the first of January 2000
				f := newFake(func(context.Context, int, called) invoke.Result {
					return invoke.Result{Status: 503, Header: http.Header{"Retry-After": {tt.value}}}
				})
				s := defaults(t)
				s.caller = f
				r := start(t, s)
				from := time.Now()
				r.accept(to("fn"))
				pass(0)
				until := r.lanes.Throttle(invocation.Lane{Queue: queue, Name: "fn"}).Until
				if got := until.Sub(from); tt.want == 0 && !until.IsZero() || tt.want > 0 && got != tt.want {
					t.Errorf("held for %s, want %s", got, tt.want)
				}
			})
		})
	}
}

func TestAFunctionOutOfReachIsOnlyProbed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var mu sync.Mutex
		up := false
		f := newFake(func(context.Context, int, called) invoke.Result {
			mu.Lock()
			defer mu.Unlock()
			if up {
				return status(200)
			}
			return invoke.Result{Status: 503, Cause: invocation.CauseRefused}
		})
		s := defaults(t)
		s.caller, s.inflight = f, 4
		r := start(t, s)
		const n = 200
		for range n {
			r.accept(to("fn"))
		}
		pass(time.Hour)
		opened := r.log.lines(t, "function unreachable, breaker opened")
		switch {
		case len(opened) != 1:
			t.Fatalf("the log says %v, want len 1", opened)
		case opened[0]["cause"] != "refused":
			t.Fatalf("the log says %v: opened[0][\"cause\"] = %v, want \"refused\"", opened, opened[0]["cause"])
		}
		// 20 before it opens, and those that were in flight; then one every 30 s.
		switch calls := len(f.of("fn")); {
		case calls > 20+4+130:
			t.Errorf("%d calls in an hour, want at most %d", calls, 20+4+130)
		case calls < 100:
			t.Errorf("%d calls in an hour, want at least 100", calls)
		}
		if len(r.letters()) != 0 {
			t.Errorf("%d letters died of an outage, want 0", len(r.letters()))
		}
		status := r.lanes.Throttle(invocation.Lane{Queue: queue, Name: "fn"}).Breaker
		switch {
		case !status.Open:
			t.Errorf("the breaker is %+v: status.Open = false, want true", status)
		case status.Cause != invocation.CauseRefused:
			t.Errorf("the breaker is %+v, want Cause %q", status, invocation.CauseRefused)
		case status.Next.IsZero():
			t.Errorf("the breaker is %+v: status.Next.IsZero() = true, want false", status)
		}
		switch open, limit := r.metric("breaker_open", "fn.openfaas-fn"), r.metric("lane_limit", "fn.openfaas-fn"); {
		case open != 1:
			t.Errorf("the metrics say %g open, want 1", open)
		case limit != 1:
			t.Errorf("a limit of %g, want 1", limit)
		}
		mu.Lock()
		up = true
		mu.Unlock()
		pass(40 * time.Second)
		if open := r.metric("breaker_open", "fn.openfaas-fn"); open != 0 {
			t.Errorf("after it came back %g are open, want 0", open)
		}
		switch st := r.store.Stats(); {
		case st.Ready != 0:
			t.Errorf("after it came back the store has %+v, want Ready 0", st)
		case st.Dead != 0:
			t.Errorf("after it came back the store has %+v, want Dead 0", st)
		}
		pass(time.Hour)
		if st := r.store.Stats(); st.Done != n {
			t.Errorf("%d of %d are done, want %v", st.Done, n, n)
		}
		if lines := r.log.lines(t, "function reachable, breaker closed"); len(lines) != 1 {
			t.Errorf("the log says %d times that it is back, want 1", len(lines))
		}
		for _, c := range f.of("fn") {
			if c.Retry > 2 {
				t.Fatalf("a probe has spent a retry: %d, want at most 2", c.Retry)
			}
		}
	})
}

// TestARedirectedCallIsLikeARefusedOne: an hour behind a login page costs no invocation, and one warning names the URL.
func TestARedirectedCallIsLikeARefusedOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := defaults(t)
		s.caller = newFake(func(context.Context, int, called) invoke.Result {
			return invoke.Result{Status: 503, Cause: invocation.CauseRedirected, Detail: "redirected to https://gw", GatewayURL: "https://gw"}
		})
		r := start(t, s)
		for range 200 {
			r.accept(to("fn"))
		}
		pass(time.Hour)
		if n := len(r.letters()); n != 0 {
			t.Errorf("got %d dead letters, want 0", n)
		}
		if opened := r.log.lines(t, "function unreachable, breaker opened"); len(opened) != 1 || opened[0]["cause"] != "redirected" {
			t.Errorf("got %v, want one line with cause redirected", opened)
		}
		lines := r.log.lines(t, "gateway redirects calls")
		if len(lines) != 1 || lines[0]["location"] != "https://gw" {
			t.Errorf("got %v, want one warning that names https://gw", lines)
		}
	})
}

func TestAStatusThatTheFunctionChoseOpensNoBreaker(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		result invoke.Result
		off    bool
		want   bool
	}{
		{"500 of its own", status(500), false, false},
		{"503 of its own", status(503), false, false},
		{"429 of its own", status(429), false, false},
		{"500 of OpenFaaS", invoke.Result{Status: 500, Header: http.Header{headerInternal: {"proxy"}}}, false, true},
		{"429 of OpenFaaS", invoke.Result{Status: 429, Header: http.Header{headerInternal: {"faas-middleware"}}}, false, false},
		{"a reset", invoke.Result{Status: 503, Cause: invocation.CauseReset}, false, true},
		{"a time-out", invoke.Result{Status: 503, Cause: invocation.CauseTimeout}, false, true},
		{"a redirect before the gateway", invoke.Result{Status: 503, Cause: invocation.CauseRedirected}, false, true},
		{"a redirect of its own", status(302), false, false},
		{"a reset, with breaker=off", invoke.Result{Status: 503, Cause: invocation.CauseReset}, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := defaults(t)
				s.caller = newFake(func(context.Context, int, called) invoke.Result { return tt.result })
				s.lanes.NoBreaker = tt.off
				r := start(t, s)
				for range 100 {
					r.accept(to("fn"))
				}
				pass(10 * time.Second)
				if got := r.lanes.Throttle(invocation.Lane{Queue: queue, Name: "fn"}).Breaker.Open; got != tt.want {
					t.Errorf("open is %v, want %v", got, tt.want)
				}
			})
		})
	}
}
