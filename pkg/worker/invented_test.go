package worker

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/policy"
)

// invented makes a gateway that knows surely that there are no such functions.
func invented(n int) *known {
	k := &known{missing: map[string]bool{}}
	for i := range n {
		k.missing[fmt.Sprint("invented-", i)] = true
	}
	return k
}

func TestInventedNamesTakeNothingFromAFunction(t *testing.T) {
	t.Parallel()
	names := scaled(10_000)
	for _, tt := range []struct {
		inflight, want int
		longest        time.Duration // wait of the function
	}{
		// With one slot there is one call at a time, and one of an invented name is a 404.
		{1, 1, 10 * time.Millisecond}, {2, 1, 0}, {8, 1, 0}, {50, 6, 0},
	} {
		t.Run(fmt.Sprint("max_inflight ", tt.inflight), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(func(ctx context.Context, _ int, c called) invoke.Result {
					if c.target == "quiet" || c.target == "new" {
						return takes(ctx, time.Millisecond, status(200))
					}
					return takes(ctx, 10*time.Millisecond, status(404))
				})
				s, k := defaults(t), invented(names)
				s.caller, s.inflight, s.level, s.fns = f, tt.inflight, slog.Level(100), k
				s.policy.UnknownGrace = time.Hour
				k.takes = time.Millisecond
				r := start(t, s)
				r.accept(to("quiet"))
				pass(time.Second)
				done := make(chan error, names)
				for n := range names {
					r.submit(fmt.Sprint("invented-", n), "", []byte(fmt.Sprintf(`{"Function":"invented-%d"}`, n)), done)
				}
				for range names {
					<-done
				}
				for n := range 100 {
					target := "quiet"
					if n == 50 {
						target = "new"
					}
					accepted := time.Now()
					r.accept(to(target))
					longest := tt.longest
					if target == "new" {
						longest += firstPatience
					}
					if wait := waitOf(t, f, target, accepted, time.Minute); wait > longest {
						t.Fatalf("call %d has waited %s, want at most %v", n, wait, longest)
					}
					pass(7 * time.Millisecond)
				}
				if n := mostOf(f, func(s string) bool { return strings.HasPrefix(s, "invented-") }); n != tt.want {
					t.Errorf("%d calls of invented names at once, want %d", n, tt.want)
				}
			})
		})
	}
}

func TestANewFunctionWaitsOnlyForTheGatewayBesideASlowOne(t *testing.T) {
	for _, answers := range []time.Duration{0, 100 * time.Millisecond, time.Hour} {
		t.Run(fmt.Sprint("the gateway takes ", answers), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(func(ctx context.Context, _ int, c called) invoke.Result {
					if c.target == "slow" {
						return takes(ctx, time.Hour, status(200))
					}
					return status(200)
				})
				s := defaults(t)
				s.caller, s.inflight, s.fns = f, 8, &known{takes: answers}
				r := start(t, s)
				r.flood("slow", 1000)
				pass(time.Minute)
				accepted := time.Now()
				r.accept(to("new"))
				if wait := waitOf(t, f, "new", accepted, time.Minute); wait != min(answers, firstPatience) {
					t.Errorf("it has waited %s, want %v", wait, min(answers, firstPatience))
				}
			})
		})
	}
}

func TestAFunctionThatIsDeployedLaterHasItsShareAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := &known{missing: map[string]bool{"fn": true}}
		f := newFake(func(ctx context.Context, _ int, _ called) invoke.Result {
			k.mu.Lock()
			missing := k.missing["fn"]
			k.mu.Unlock()
			if missing {
				return takes(ctx, 10*time.Millisecond, status(404))
			}
			return takes(ctx, time.Second, status(200))
		})
		s := defaults(t)
		s.caller, s.inflight, s.fns = f, 50, k
		s.policy.UnknownGrace, s.policy.Initial = time.Minute, time.Second
		r := start(t, s)
		r.flood("fn", 100)
		pass(3 * time.Second)
		if n := most(f.of("fn")); n != 6 {
			t.Errorf("%d calls at once while it is missing, want 6", n)
		}
		k.set(func() { delete(k.missing, "fn") })
		pass(time.Minute)
		if n := most(f.of("fn")); n <= 6 {
			t.Errorf("%d calls at once since it is there, want more than 6", n)
		}
		if left := r.store.Stats().Ready; left != 0 {
			t.Errorf("%d are left, want 0", left)
		}
	})
}

func TestAMessageCannotRaiseThePriorityOfItsFunction(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name             string
		gateway, message map[string]string
		want             int
	}{
		{"the default is the most", nil, map[string]string{policy.AnnotationPriority: "10"}, 5},
		{"lower is taken", nil, map[string]string{policy.AnnotationPriority: "1"}, 1},
		{"up to the function's own", map[string]string{policy.AnnotationPriority: "8"}, map[string]string{policy.AnnotationPriority: "10"}, 8},
		{"the function's own", map[string]string{policy.AnnotationPriority: "8"}, nil, 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := defaults(t)
				s.policy.Lane.Priority = commonPriority
				s.caller, s.fns = newFake(statuses(200)), &known{annotations: map[string]map[string]string{"fn": tt.gateway}}
				r := start(t, s)
				m := to("fn")
				m.Annotations = tt.message
				r.accept(m)
				synctest.Wait()
				r.lanes.mu.Lock()
				defer r.lanes.mu.Unlock()
				if got := r.lanes.throttles[invocation.Lane{Queue: queue, Name: "fn"}].priority; got != tt.want {
					t.Errorf("priority %d, want %d", got, tt.want)
				}
			})
		})
	}
}
