package worker

// What functions ask for, by their annotations and by their answers.

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/policy"
)

// known is what a gateway says of functions.
type known struct {
	mu          sync.Mutex
	annotations map[string]map[string]string
	missing     map[string]bool
	takes       time.Duration // to tell annotations
	asked       map[string]int
}

func (k *known) Annotations(ctx context.Context, function string, patience time.Duration) (map[string]string, bool) {
	k.mu.Lock()
	a, unknown, takes := k.annotations[function], k.missing[function], k.takes
	if k.asked == nil {
		k.asked = map[string]int{}
	}
	k.asked[function]++
	if k.asked[function] > 1 && takes <= firstPatience {
		takes = 0 // it has answered
	}
	k.mu.Unlock()
	if takes == 0 {
		return a, unknown
	}
	select {
	case <-time.After(min(takes, patience)):
	case <-ctx.Done():
	}
	if takes > patience {
		return nil, false
	}
	return a, unknown
}

func (k *known) Recall(function string) map[string]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.annotations[function]
}

func (k *known) Missing(_ context.Context, function string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.missing[function]
}

func (k *known) set(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
}

// most is the largest number of calls that were in flight at once. A call that ends when
// another begins is not in flight beside it.
func most(calls []called) int {
	change := map[time.Time]int{}
	for _, c := range calls {
		change[c.begun.Round(0)]++
		if !c.end.IsZero() {
			change[c.end.Round(0)]--
		}
	}
	now, top := 0, 0
	for _, at := range slices.SortedFunc(maps.Keys(change), time.Time.Compare) {
		now += change[at]
		top = max(top, now)
	}
	return top
}

func TestAFunctionsOwnLimitHoldsFromItsFirstCall(t *testing.T) {
	limits := map[string]string{policy.AnnotationMaxInflight: "2"}
	for _, tt := range []struct {
		name    string
		gateway *known
		message map[string]string
		want    int
	}{
		{"the gateway knows it", &known{annotations: map[string]map[string]string{"fn": limits}}, nil, 2},
		{"the gateway takes its time", &known{annotations: map[string]map[string]string{"fn": limits}, takes: 200 * time.Millisecond}, nil, 2},
		{"the message says it", &known{}, limits, 2},
		{"the gateway takes too long, so the worker's holds", &known{annotations: map[string]map[string]string{"fn": limits}, takes: time.Minute}, nil, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(func(ctx context.Context, _ int, _ called) invoke.Result { return takes(ctx, time.Second, status(200)) })
				s := defaults(t)
				s.caller, s.fns = f, tt.gateway
				r := start(t, s)
				begun := time.Now()
				for range 12 {
					m := to("fn")
					m.Annotations = tt.message
					r.accept(m)
				}
				pass(time.Minute)
				calls := f.of("fn")
				if n := most(calls); n != tt.want || len(calls) != 12 {
					t.Errorf("%d of %d calls at once, want %d", n, len(calls), tt.want)
				}
				if wait := calls[0].begun.Sub(begun); wait > firstPatience {
					t.Errorf("the first call waits %s, want at most %v", wait, firstPatience)
				}
			})
		})
	}
}

func TestALimitThatChangesIsFollowed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, _ int, _ called) invoke.Result { return takes(ctx, time.Second, status(200)) })
		s := defaults(t)
		k := &known{annotations: map[string]map[string]string{"fn": {policy.AnnotationMaxInflight: "1"}}}
		s.caller, s.fns = f, k
		r := start(t, s)
		for range 60 {
			r.accept(to("fn"))
		}
		pass(10 * time.Second)
		if n := most(f.of("fn")); n != 1 {
			t.Errorf("%d at once, want 1", n)
		}
		k.set(func() { k.annotations = nil })
		pass(10 * time.Second)
		if n := most(f.of("fn")); n != 4 {
			t.Errorf("without a limit of its own %d at once, want 4", n)
		}
		k.set(func() { k.annotations = map[string]map[string]string{"fn": {policy.AnnotationMaxInflight: "2"}} })
		pass(2 * time.Second)
		from := len(f.of("fn"))
		pass(2 * time.Second)
		if n := most(f.of("fn")[from:]); n != 2 {
			t.Errorf("with a new limit %d at once, want 2", n)
		}
		pass(time.Minute)
	})
}

// What cannot be read says nothing of its function, so the next one goes alone too.
func TestOneThatCannotBeReadKeepsNobodyBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(200))
		s := defaults(t)
		s.caller = f
		r := start(t, s)
		for range 20 {
			r.acceptRaw("fn", "", []byte("{"))
		}
		r.accept(to("fn"))
		pass(time.Second)
		switch {
		case len(r.letters()) != 20:
			t.Errorf("%d letters, want 20", len(r.letters()))
		case len(f.of("fn")) != 1:
			t.Errorf("%d calls, want 1", len(f.of("fn")))
		}
	})
}

func TestTheTimeOfACallIsTheFunctionsOrTheMessages(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(200))
		s := defaults(t)
		s.caller, s.fns = f, &known{annotations: map[string]map[string]string{"fn": {policy.AnnotationTimeout: "30s"}}}
		s.policy.Timeout = time.Minute
		r := start(t, s)
		for _, tt := range []struct {
			function, header string
			want             time.Duration
		}{
			{"other", "", 0}, // the client has the worker's
			{"other", "10s", 10 * time.Second},
			{"other", "5m", 0},
			{"fn", "", 30 * time.Second},
			{"fn", "40s", 30 * time.Second},
			{"fn", "7", 7 * time.Second},
		} {
			m := to(tt.function)
			if tt.header != "" {
				m.Header = http.Header{"X-Timeout": {tt.header}}
			}
			r.accept(m)
			pass(time.Second)
			calls := f.of(tt.function)
			if got := calls[len(calls)-1].Timeout; got != tt.want {
				t.Errorf("%s with X-Timeout %q may take %s, want %s", tt.function, tt.header, got, tt.want)
			}
		}
	})
}

func TestAnAgeIsCountedFromWhenItWasAccepted(t *testing.T) {
	for _, tt := range []struct {
		name        string
		annotations map[string]string // of the gateway
		header      string
		trust       bool
		deadline    time.Duration // 0: none
		calls       int           // with waits of 10, 20 and 40 s
	}{
		{"no bound", nil, "", false, 0, 11},
		{"the function's", map[string]string{policy.AnnotationMaxAge: "45s"}, "", false, 45 * time.Second, 3},
		{"the message's", nil, "15s", false, 15 * time.Second, 2},
		{"the message may lower it", map[string]string{policy.AnnotationMaxAge: "45s"}, "15", false, 15 * time.Second, 2},
		{"but not raise it", map[string]string{policy.AnnotationMaxAge: "15s"}, "45s", false, 15 * time.Second, 2},
		{"unless it is trusted", map[string]string{policy.AnnotationMaxAge: "15s"}, "45s", true, 45 * time.Second, 3},
		{"one that is over before the first retry", nil, "5s", false, 5 * time.Second, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(statuses(500))
				s := defaults(t)
				s.caller, s.trust, s.fns = f, tt.trust, &known{annotations: map[string]map[string]string{"fn": tt.annotations}}
				r := start(t, s)
				m := to("fn")
				if tt.header != "" {
					m.Header = http.Header{"X-Max-Age": {tt.header}}
				}
				accepted := time.Now()
				id := r.accept(m)
				pass(time.Hour)
				calls := f.of("fn")
				if len(calls) != tt.calls {
					t.Errorf("%d calls, want %d", len(calls), tt.calls)
				}
				inv := r.letter(id)
				want, deadline := invocation.AttemptsExhausted, time.Time{}
				if tt.deadline > 0 {
					want, deadline = invocation.MaxAgeExceeded, accepted.Add(tt.deadline)
				}
				switch {
				case inv.Reason != want:
					t.Errorf("dead of %s, want %q", inv.Reason, want)
				case !inv.Expires().Equal(deadline):
					t.Errorf("it expired at %s, want %v", inv.Expires(), deadline)
				}
				for _, c := range calls {
					if tt.deadline > 0 && (c.Terms == nil || !c.Terms.Expires.Equal(deadline)) {
						t.Errorf("call %d has %+v", c.Retry, c.Terms)
					}
				}
				// What a person does is bound by no age.
				if err := r.store.Replay(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				pass(time.Hour)
				switch inv := r.letter(id); {
				case inv.Reason != invocation.AttemptsExhausted:
					t.Errorf("the replay: %s after %d calls, want reason %v", inv.Reason, len(f.of("fn"))-tt.calls, invocation.AttemptsExhausted)
				case len(f.of("fn")) != tt.calls+11:
					t.Errorf("the replay: %s after %d calls, want %d", inv.Reason, len(f.of("fn"))-tt.calls, tt.calls+11)
				}
			})
		})
	}
}

func TestAFunctionMaySayThatNoRetryHelps(t *testing.T) {
	refusing := func(code int, value string) invoke.Result {
		return invoke.Result{Status: code, Header: http.Header{"X-No-Retry": {value}}}
	}
	for _, tt := range []struct {
		name   string
		answer invoke.Result
		calls  int
		reason invocation.Reason // "": done
	}{
		{"X-No-Retry: true", refusing(503, "true"), 1, invocation.NonRetryable},
		{"in capitals", refusing(503, " TRUE "), 1, invocation.NonRetryable},
		{"X-No-Retry: false", refusing(503, "false"), 11, invocation.AttemptsExhausted},
		{"410", status(410), 1, invocation.NonRetryable},
		{"a success", refusing(200, "true"), 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(func(context.Context, int, called) invoke.Result { return tt.answer })
				s := defaults(t)
				s.caller = f
				r := start(t, s)
				id := r.accept(to("fn"))
				pass(time.Hour)
				if n := len(f.of("fn")); n != tt.calls {
					t.Errorf("%d calls, want %d", n, tt.calls)
				}
				if tt.reason != "" && r.letter(id).Reason != tt.reason {
					t.Errorf("dead of %s, want reason %v", r.letter(id).Reason, tt.reason)
				}
			})
		})
	}
}

func TestAFunctionThatIsNotThere(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*setup, *known)
		answers []int
		at      []time.Duration // of the calls
		reason  invocation.Reason
	}{
		{"a bare 404 is final", func(_ *setup, k *known) { k.missing = nil }, []int{404}, []time.Duration{0}, invocation.NonRetryable},
		{"without a gateway to ask too", func(s *setup, _ *known) { s.fns = nil }, []int{404}, []time.Duration{0}, invocation.NonRetryable},
		{"one that the gateway does not know is waited for", nil, []int{404}, []time.Duration{0, 10 * time.Second, 30 * time.Second}, invocation.FunctionNotFound},
		{"one that is there in the end is called", nil, []int{404, 404, 200}, []time.Duration{0, 10 * time.Second, 30 * time.Second}, ""},
		{"with few retries as long", func(s *setup, _ *known) { s.policy.Attempts = 1 }, []int{404}, []time.Duration{0, 30 * time.Second}, invocation.FunctionNotFound},
		{"with none not at all", func(s *setup, _ *known) { s.policy.Attempts = 0 }, []int{404}, []time.Duration{0}, invocation.FunctionNotFound},
		{"the grace counts from the first 404", nil, []int{500, 404, 404}, []time.Duration{0, 10 * time.Second, 30 * time.Second, 40 * time.Second}, invocation.FunctionNotFound},
		{"a 404 that is to be retried is", func(s *setup, _ *known) { s.policy.Codes, s.policy.Attempts = mustCodes("404"), 1 }, []int{404}, []time.Duration{0, 10 * time.Second}, invocation.AttemptsExhausted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(statuses(tt.answers...))
				s := defaults(t)
				k := &known{missing: map[string]bool{"fn": true}}
				s.caller, s.fns = f, k
				if tt.change != nil {
					tt.change(&s, k)
				}
				r := start(t, s)
				begun := time.Now()
				id := r.accept(to("fn"))
				pass(time.Hour)
				calls := f.of("fn")
				if len(calls) != len(tt.at) {
					t.Fatalf("%d calls, want %d", len(calls), len(tt.at))
				}
				for n, at := range tt.at {
					if got := calls[n].begun.Sub(begun); got != at {
						t.Errorf("call %d after %s, want %s", n, got, at)
					}
				}
				if tt.reason == "" {
					return
				}
				if inv := r.letter(id); inv.Reason != tt.reason {
					t.Errorf("dead of %s, want %q", inv.Reason, tt.reason)
				}
				// A replay has a grace of its own.
				if err := r.store.Replay(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				pass(time.Hour)
				if n := len(f.of("fn")) - len(tt.at); tt.reason == invocation.FunctionNotFound && s.policy.Attempts == 10 && n != 3 {
					t.Errorf("the replay makes %d calls, want 3", n)
				}
			})
		})
	}
}

func TestNoValueOfAHeaderIsLogged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(200))
		s := defaults(t)
		s.caller = f
		r := start(t, s)
		for _, value := range []string{"secret-one", "secret-two"} {
			m := to("fn")
			m.Header = http.Header{"X-Timeout": {value}}
			r.accept(m)
		}
		pass(time.Second)
		lines := r.log.lines(t, "invalid header field, function setting applies")
		switch {
		case len(lines) != 1:
			t.Errorf("the log says %v, want len 1", lines)
		case lines[0]["header"] != "X-Timeout":
			t.Errorf("the log says %v: lines[0][\"header\"] = %v, want \"X-Timeout\"", lines, lines[0]["header"])
		case strings.Contains(r.log.String(), "secret-"):
			t.Errorf("the log says %v: r.log.String() = %q, want no \"secret-\" in it", lines, r.log.String())
		}
	})
}
