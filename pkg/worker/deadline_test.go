package worker

// What becomes of invocations whose deadline passes while they are pending.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/store"
)

// holdingBack are the ways in which a lane has no turn. Each is set up before the invocation comes.
var holdingBack = []struct {
	name string
	do   func(t *testing.T, r *rig)
}{
	{"a pause", func(_ *testing.T, r *rig) { r.lanes.Pause("fn") }},
	{"Retry-After", func(_ *testing.T, r *rig) { r.accept(message{Function: "fn", Body: []byte("429")}); pass(time.Second) }},
	{"an open breaker", func(_ *testing.T, r *rig) {
		for range 20 {
			r.accept(message{Function: "fn", Body: []byte("refused")})
		}
		pass(30 * time.Second)
	}},
	{"a limit", func(_ *testing.T, r *rig) { r.accept(message{Function: "fn", Body: []byte("slow")}); pass(time.Second) }},
	{"a delay", func(*testing.T, *rig) {}},
}

// answerByBody is a function whose answer its caller chooses.
func answerByBody(ctx context.Context, _ int, c called) invoke.Result {
	switch c.body {
	case "429":
		return invoke.Result{Status: 429, Header: http.Header{"Retry-After": {"3000"}}}
	case "refused":
		return invoke.Result{Status: 503, Cause: invocation.CauseRefused}
	case "slow":
		return takes(ctx, time.Hour, status(200))
	}
	return status(200)
}

func TestADeadlinePassesWhateverHoldsTheLaneBack(t *testing.T) {
	for _, held := range holdingBack {
		t.Run(held.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(answerByBody)
				s := defaults(t)
				s.caller, s.inflight = f, 1
				r := start(t, s)
				held.do(t, r)
				m := calling("fn", "http://cb.example/")
				m.Body = []byte("late")
				id := r.acceptAs(m, func(inv *invocation.Invocation) {
					expiring(2 * time.Second)(inv)
					if held.name == "a delay" {
						inv.Since = inv.Accepted.Add(time.Hour)
					}
				})
				accepted := time.Now()
				pass(2*time.Second - time.Millisecond)
				if inv, err := r.store.Get(t.Context(), id); err != nil || inv.State != invocation.Pending {
					t.Fatalf("before its deadline: got %+v, %v, want it to be pending", inv, err)
				}
				pass(time.Second + time.Millisecond)
				inv := r.letter(id)
				if inv.Reason != invocation.MaxAgeExceeded || len(inv.Attempts) != 0 {
					t.Errorf("dead letter: got %q with %d attempts, want %q with none", inv.Reason, len(inv.Attempts), invocation.MaxAgeExceeded)
				}
				if late := inv.DiedAt.Sub(accepted.Add(2 * time.Second)); late < 0 || late > time.Second {
					t.Errorf("it died %v after its deadline, want at most 1s", late)
				}
				if got := r.metric("dead_letters_total", string(invocation.MaxAgeExceeded)); got != 1 {
					t.Errorf("counted: got %v, want 1", got)
				}
				if held.name == "a limit" {
					return // its callback waits for the slot
				}
				pass(time.Minute)
				if n := len(f.of("http://cb.example/")); n != 1 {
					t.Errorf("callbacks: got %d, want 1", n)
				}
			})
		})
	}
}

func TestACallInFlightDecidesAfterItsDeadline(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		reason invocation.Reason // "" for done
	}{
		{"it succeeds", 200, ""},
		{"it fails", 500, invocation.MaxAgeExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(func(ctx context.Context, _ int, _ called) invoke.Result {
					return takes(ctx, time.Minute, status(tt.status))
				})
				s := defaults(t)
				s.caller = f
				r := start(t, s)
				id := r.acceptAs(to("fn"), expiring(2*time.Second))
				pass(30 * time.Second)
				if inv, err := r.store.Get(t.Context(), id); err != nil || inv.State != invocation.Pending {
					t.Fatalf("during its call: got %+v, %v, want it to be pending", inv, err)
				}
				pass(time.Minute)
				if n := len(f.of("fn")); n != 1 {
					t.Errorf("calls: got %d, want 1", n)
				}
				if tt.reason == "" {
					if got := r.store.Stats(); got.Done != 1 {
						t.Errorf("counts: got %+v, want 1 done", got)
					}
					return
				}
				if inv := r.letter(id); inv.Reason != tt.reason || len(inv.Attempts) != 1 {
					t.Errorf("dead letter: got %q with %d attempts, want %q with 1", inv.Reason, len(inv.Attempts), tt.reason)
				}
			})
		})
	}
}

func TestAReplayedInvocationHasNoDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(200))
		s := defaults(t)
		s.caller = f
		s.fns = &known{annotations: map[string]map[string]string{"fn": {policy.AnnotationMaxAge: "2s"}}}
		r := start(t, s)
		r.lanes.Pause("fn")
		id := r.acceptAs(to("fn"), expiring(2*time.Second))
		pass(time.Minute)
		if err := r.store.Replay(t.Context(), r.letter(id).ID); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		r.lanes.Resume("fn")
		pass(time.Minute)
		if n := len(f.of("fn")); n != 1 {
			t.Errorf("calls: got %d, want 1", n)
		}
	})
}

func TestTheDeadlineInForceIsStoredAtAcceptance(t *testing.T) {
	annotated := func(age string) map[string]string { return map[string]string{policy.AnnotationMaxAge: age} }
	for _, tt := range []struct {
		name    string
		gateway map[string]string // of the function, nil when nothing is known
		message map[string]string
		header  time.Duration
		trust   bool
		want    time.Duration // 0 for none
	}{
		{name: "none"},
		{name: "the function's", gateway: annotated("10s"), want: 10 * time.Second},
		{name: "the message's own", gateway: annotated("10s"), message: annotated("20s"), want: 20 * time.Second},
		{name: "an invalid one is none", gateway: annotated("soon")},
		{name: "the header's lowers it", gateway: annotated("10s"), header: 5 * time.Second, want: 5 * time.Second},
		{name: "the header's does not raise it", gateway: annotated("10s"), header: time.Minute, want: 10 * time.Second},
		{name: "unless it is trusted", gateway: annotated("10s"), header: time.Minute, trust: true, want: time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := defaults(t)
				s.caller, s.trust = newFake(statuses(200)), tt.trust
				s.fns = &known{annotations: map[string]map[string]string{"fn": tt.gateway}}
				r := start(t, s)
				r.lanes.Pause("fn")
				m := to("fn")
				m.Annotations = tt.message
				raw, err := json.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				req, err := invocation.Decode(raw)
				if err != nil {
					t.Fatal(err)
				}
				inv := newInvocation("fn", "")
				if tt.header > 0 {
					inv.Terms = &invocation.Terms{Expires: inv.Accepted.Add(tt.header)}
				}
				done := make(chan error, 1)
				r.worker.Accept(store.Accept{Inv: inv, Raw: raw, Request: req}, func(err error) { done <- err })
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				stored, err := r.store.Get(t.Context(), inv.ID)
				if err != nil {
					t.Fatal(err)
				}
				got := time.Duration(0)
				if !stored.Expires().IsZero() {
					got = stored.Expires().Sub(stored.Accepted)
				}
				if got != tt.want {
					t.Errorf("deadline: got %v after the acceptance, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestManyPausedInvocationsExpireAtOnce(t *testing.T) {
	for _, n := range []int{200, 2500} { // within the window of a lane, and beyond
		t.Run(fmt.Sprint(n), func(t *testing.T) { expireManyAtOnce(t, n) })
	}
}

func expireManyAtOnce(t *testing.T, n int) {
	bubble(t, func(t *testing.T) {
		s := defaults(t)
		s.caller = newFake(statuses(200))
		r := start(t, s)
		r.lanes.Pause("fn")
		done := make(chan error, n)
		deadline := time.Now().Add(time.Minute)
		for range n {
			inv := newInvocation("fn", "")
			inv.Terms = &invocation.Terms{Expires: deadline}
			r.store.Accept(acceptOf(t, inv), func(err error) { done <- err })
		}
		for range n {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Until(deadline) + time.Second)
		if got := r.store.Stats(); got.Dead != n || got.Ready != 0 {
			t.Errorf("counts: got %d dead and %d ready, want %d and 0", got.Dead, got.Ready, n)
		}
		kept := r.accept(to("fn"))
		pass(time.Second)
		if got := r.metric("oldest_ready_seconds"); got < 1 || got > 2 {
			t.Errorf("age of the oldest: got %v, want that of the one that is left: 1", got)
		}
		r.lanes.Resume("fn")
		pass(time.Second)
		if _, err := r.store.Get(t.Context(), kept); err == nil {
			t.Error("the one without a deadline is still there, want it called")
		}
	})
}
