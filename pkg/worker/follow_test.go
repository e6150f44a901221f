package worker

// How well a lane follows what its function can take: the figures of the limiter, for
// functions of many kinds.

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
)

// patient are defaults with retries that are soon, and never used up.
func patient(t *testing.T, c Caller) setup {
	t.Helper()
	s := defaults(t)
	s.caller, s.inflight, s.level = c, 50, 100
	s.policy.Attempts, s.policy.Initial, s.policy.Max = 1000, time.Second, 10*time.Second
	return s
}

// finish lets time go by until all that was accepted is done, and returns how long
// that took from since.
func (r *rig) finish(since time.Time, n int) time.Duration {
	r.t.Helper()
	for r.store.Stats().Done < uint64(n) && time.Since(since) < time.Hour {
		pass(50 * time.Millisecond)
	}
	if st := r.store.Stats(); st.Done != uint64(n) || st.Dead != 0 {
		r.t.Fatalf("%d of %d are done, %d are dead", st.Done, n, st.Dead)
	}
	return time.Since(since)
}

func TestAFunctionThatGrowsIsFollowedWithinTenSeconds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ call, before time.Duration }{
		{50 * time.Millisecond, 2 * time.Second},
		{200 * time.Millisecond, 30 * time.Second},
		{time.Second, time.Minute},
	} {
		t.Run(fmt.Sprintf("calls of %s", tt.call), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				fn := &limited{duration: tt.call, capacity: 5}
				r := start(t, patient(t, newFake(fn.answer)))
				r.flood("fn", int((5*tt.before+25*12*time.Second)/tt.call))
				pass(tt.before)
				fn.set(25)
				pass(10 * time.Second)
				if _, most := fn.seen(); most < 25 {
					t.Errorf("10 s after it has grown from 5 to 25 at a time it had at most %d, want at least 25", most)
				}
			})
		})
	}
}

func TestAFunctionThatShrinksIsFollowed(t *testing.T) {
	t.Parallel()
	for _, call := range []time.Duration{100 * time.Millisecond, time.Second} {
		t.Run(fmt.Sprintf("calls of %s", call), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				fn := &limited{duration: call, capacity: 25}
				f := newFake(fn.answer)
				r := start(t, patient(t, f))
				r.flood("fn", 25*45)
				pass(20 * call) // it grows from 10 to 25
				fn.set(5)
				served, _ := fn.seen()
				calls := len(f.of("fn"))
				pass(10 * call)
				settled, most := fn.seen()
				spent := len(f.of("fn")) - calls - (settled - served)
				if spent > 4*25 {
					t.Errorf("%d calls too many in the first ten rounds after it has shrunk from 25 to 5, want at most %d", spent, 4*25)
				}
				pass(10 * call)
				limit := r.lanes.Throttle(invocation.Lane{Queue: queue, Name: "fn"}).Limit
				switch {
				case limit > 6:
					t.Errorf("twenty rounds after it has shrunk to 5 the limit is %d; most at a time %d: limit = %d, want at most 6", limit, most, limit)
				case limit < 4:
					t.Errorf("twenty rounds after it has shrunk to 5 the limit is %d; most at a time %d: limit = %d, want at least 4", limit, most, limit)
				}
			})
		})
	}
}

func TestAFunctionWithAFew503sOfItsOwnIsNotStrangled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const n, call = 4000, 100 * time.Millisecond
		seed := uint32(1)
		f := newFake(nil)
		f.answer = func(ctx context.Context, _ int, _ called) invoke.Result {
			f.mu.Lock()
			seed = seed*1664525 + 1013904223 // one in twenty, in an order that repeats
			fails := seed>>16%20 == 0
			f.mu.Unlock()
			if fails {
				return takes(ctx, call, status(http.StatusServiceUnavailable))
			}
			return takes(ctx, call, status(200))
		}
		r := start(t, patient(t, f))
		from := time.Now()
		r.flood("fn", n)
		took := r.finish(from, n)
		t.Logf("%.1f calls at a time, %.3f calls per invocation", n*call.Seconds()/took.Seconds(), float64(len(f.of("fn")))/n)
		if at := n * call.Seconds() / took.Seconds(); at < 5 {
			t.Errorf("on average only %.1f calls were in flight, want at least 5", at)
		}
	})
}

func TestManyFunctionsWithLimitsFindTheirsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const call, each = 200 * time.Millisecond, 150
		fns := map[string]*limited{}
		for i := range 12 {
			fns[fmt.Sprintf("takes-%d", i+1)] = &limited{duration: call, capacity: i + 1}
		}
		f := newFake(func(ctx context.Context, n int, c called) invoke.Result { return fns[c.target].answer(ctx, n, c) })
		s := patient(t, f)
		s.inflight = 100 // more than all take together
		r := start(t, s)
		from := time.Now()
		for name := range fns {
			r.flood(name, each)
		}
		r.finish(from, each*len(fns))
		for name, fn := range fns {
			calls := f.of(name)
			ideal := time.Duration((each+fn.capacity-1)/fn.capacity) * call
			// The start is not counted: up to ten calls, which come again after a second
			// or two.
			perCall, took := float64(len(calls)-10)/each, calls[len(calls)-1].end.Sub(from)
			switch {
			case perCall > 1.2:
				t.Errorf("%s: %.2f calls per invocation, want at most 1.2", name, perCall)
			case took > ideal*13/10+2*time.Second:
				t.Errorf("%s: %.2f calls per invocation, %s where %s is ideal: took = %v, want at most %v", name, perCall, took, ideal, took, ideal*13/10+2*time.Second)
			}
		}
	})
}

func TestTheLimitOfAFunctionIsNeverPassed(t *testing.T) {
	t.Parallel()
	for _, greedy := range []bool{false, true} {
		for _, own := range []int{1, 3, 9, 20} {
			t.Run(fmt.Sprintf("max_inflight %d of the function, greedy %v", own, greedy), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					fn := &limited{duration: 100 * time.Millisecond, capacity: 1000}
					f := newFake(fn.answer)
					s := patient(t, f)
					s.lanes.Greedy = greedy
					r := start(t, s)
					m := to("fn")
					m.Annotations = map[string]string{"queue-worker.max_inflight": strconv.Itoa(own)}
					const n = 500
					from := time.Now()
					r.floodWith(m, n)
					took := r.finish(from, n)
					if _, most := fn.seen(); most != own {
						t.Errorf("at most %d at a time, want %d", most, own)
					}
					if ideal := n * fn.duration / time.Duration(own); took > ideal*12/10 {
						t.Errorf("it took %s where %s is ideal, want at most %v", took, ideal, ideal*12/10)
					}
				})
			})
		}
	}
}

func TestAGreedyLaneTakesAllSlotsButTheReserveAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fn := &limited{duration: time.Second, capacity: 1000}
		s := patient(t, newFake(fn.answer))
		s.lanes.Greedy = true
		r := start(t, s)
		r.flood("fn", 100)
		pass(0)
		if _, most := fn.seen(); most != 44 {
			t.Errorf("%d calls at once, want 44 of 50", most)
		}
	})
}
