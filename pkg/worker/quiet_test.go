package worker

// What a quiet function waits beside others that are flooded, or slow: the time
// from its publishing to its call, on a clock that no machine slows down.

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"queue-worker/pkg/invoke"
)

// crowd is what a quiet function has beside it.
type crowd struct {
	inflight    int
	functions   int
	waiting     int           // of each
	least, most time.Duration // their calls

	calls int           // of the quiet function
	every time.Duration // one of them
}

// between is a duration from least to most, another one for each n.
func (c crowd) between(n int) time.Duration {
	const steps = 97
	return c.least + (c.most-c.least)*time.Duration(n*61%steps)/(steps-1)
}

// longestWait is the longest that a call of the quiet function waited in a crowd that
// is at work already, and keeps so to the end.
func (c crowd) longestWait(t *testing.T) time.Duration {
	t.Helper()
	f := newFake(nil)
	f.answer = func(ctx context.Context, n int, call called) invoke.Result {
		if call.target == "quiet" {
			return takes(ctx, time.Millisecond, status(200))
		}
		return takes(ctx, c.between(n+len(call.target)), status(200))
	}
	s := defaults(t)
	s.caller, s.inflight, s.level = f, c.inflight, 100
	r := start(t, s)
	for n := range c.functions {
		r.flood(fmt.Sprintf("flooded-%d", n), c.waiting)
	}
	pass(2 * c.most)
	published := make([]time.Time, c.calls)
	for i := range published {
		published[i] = time.Now()
		r.accept(to("quiet"))
		pass(c.every + time.Duration(i)*time.Microsecond) // never in step with the others
	}
	for given := time.Now(); len(f.of("quiet")) < c.calls && time.Since(given) < time.Hour; {
		pass(c.most)
	}
	if left := r.store.Stats().Ready; left < c.functions {
		t.Fatalf("only %d invocations of the others still wait, so it was no flood, want at least %d", left, c.functions)
	}
	calls := f.of("quiet")
	if len(calls) != c.calls {
		t.Fatalf("%d calls of the quiet function, want %d", len(calls), c.calls)
	}
	longest := time.Duration(0)
	for i, call := range calls {
		longest = max(longest, call.begun.Sub(published[i]))
	}
	return longest
}

// flood has n invocations of a function accepted, and waits until all are.
func (r *rig) flood(function string, n int) { r.t.Helper(); r.floodWith(to(function), n) }

// floodWith is flood of messages that say more.
func (r *rig) floodWith(m message, n int) {
	r.t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		r.t.Fatal(err)
	}
	done := make(chan error, n)
	for range n {
		r.submit(m.Function, "flood", raw, done)
	}
	for range n {
		if err := <-done; err != nil {
			r.t.Fatal(err)
		}
	}
}

// Slots are free for it: then it waits for nothing, not in one call of a hundred
// but in none.

func TestAQuietFunctionIsCalledWhenItIsAccepted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		crowd
	}{
		{"beside 100,000 of another, max_inflight 8", crowd{inflight: 8, functions: 1, waiting: 100_000, least: 30 * time.Millisecond, most: 70 * time.Millisecond}},
		{"beside 10,000 of another, max_inflight 50", crowd{inflight: 50, functions: 1, waiting: 10_000, least: 30 * time.Millisecond, most: 70 * time.Millisecond}},
		{"beside 1,000 calls of 60 s, max_inflight 8", crowd{inflight: 8, functions: 1, waiting: 1000, least: time.Minute, most: time.Minute}},
		{"beside 1,000 calls of 60 s, max_inflight 50", crowd{inflight: 50, functions: 1, waiting: 1000, least: time.Minute, most: time.Minute}},
		{"beside 10 functions with 1,000 each, max_inflight 50", crowd{inflight: 50, functions: 10, waiting: 1000, least: 30 * time.Millisecond, most: 70 * time.Millisecond}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.calls, tt.every = 100, 20*time.Millisecond
			bubble(t, func(t *testing.T) {
				if long := tt.longestWait(t); long != 0 {
					t.Errorf("one call of %d has waited %s, want 0", tt.calls, long)
				}
			})
		})
	}
}

// More functions are flooded than there are slots: every slot is taken by a function
// that has one, and the quiet one is next.

func TestAQuietFunctionTakesTheNextSlotAmongManyFloodedOnes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ inflight, functions, waiting int }{
		{8, 10, 100}, {8, 100, 20}, {8, 1000, 12}, {50, 100, 50}, {50, 1000, 15},
	} {
		t.Run(fmt.Sprintf("%d functions, max_inflight %d", tt.functions, tt.inflight), func(t *testing.T) {
			c := crowd{
				inflight: tt.inflight, functions: tt.functions, waiting: tt.waiting, calls: 100, every: 20 * time.Millisecond,
				least: 30 * time.Millisecond, most: 70 * time.Millisecond,
			}
			bubble(t, func(t *testing.T) {
				if long := c.longestWait(t); long > c.most {
					t.Errorf("one call of %d has waited %s, longer than the longest call of the others, want at most %v", c.calls, long, c.most)
				}
			})
		})
	}
}

// There is one slot: who has it is waited for. That is what max_inflight=1 means.

func TestWithOneSlotAQuietFunctionWaitsForTheCallUnderWay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		crowd
	}{
		{"of 30 to 70 ms, 1,000 waiting", crowd{waiting: 1000, least: 30 * time.Millisecond, most: 70 * time.Millisecond, calls: 100, every: 200 * time.Millisecond}},
		{"of 60 s, 1,000 waiting", crowd{waiting: 1000, least: time.Minute, most: time.Minute, calls: 20, every: 5*time.Minute + 7*time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.inflight, tt.functions = 1, 1
			bubble(t, func(t *testing.T) {
				if long := tt.longestWait(t); long > tt.most || long < tt.most/2 {
					t.Errorf("the longest of %d waits was %s, want about as long as a call", tt.calls, long)
				}
			})
		})
	}
}
