package worker

import (
	"context"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
)

// TestWaitingForADescriptorIsNoAttempt: an invocation whose time ends meanwhile was never called, and
// the attempt of one that is called afterwards begins when its call does.
func TestWaitingForADescriptorIsNoAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const wait = 30 * time.Second
		f := newFake(func(ctx context.Context, _ int, c called) invoke.Result {
			if c.target == "late" {
				return takes(ctx, wait, invoke.Result{Expired: true, Waited: wait, Detail: "no file descriptor is free"})
			}
			r := takes(ctx, wait, status(500))
			r.Waited = wait
			return r
		})
		s := defaults(t)
		s.caller = f
		r := start(t, s)
		begun := time.Now()
		late := r.acceptAs(to("late"), expiring(wait))
		failing := r.acceptAs(to("fn"), mailbox(0, 0, 0))
		pass(wait + time.Second)
		switch inv := r.letter(late); {
		case inv.Reason != invocation.MaxAgeExceeded:
			t.Errorf("%s with %d attempts and %d retries: %s: inv.Reason = %q, want %q", inv.Reason, len(inv.Attempts), inv.Retries, inv.Detail, inv.Reason, invocation.MaxAgeExceeded)
		case len(inv.Attempts) != 0:
			t.Errorf("%s with %d attempts and %d retries: %s: len(inv.Attempts) = %d, want 0", inv.Reason, len(inv.Attempts), inv.Retries, inv.Detail, len(inv.Attempts))
		case inv.Retries != 0:
			t.Errorf("%s with %d attempts and %d retries: %s: inv.Retries = %d, want 0", inv.Reason, len(inv.Attempts), inv.Retries, inv.Detail, inv.Retries)
		case inv.Detail != expired+" The worker had waited: no file descriptor is free.":
			t.Errorf("got detail %q, want what the worker had waited for", inv.Detail)
		}
		switch inv := r.letter(failing); {
		case len(inv.Attempts) != 1:
			t.Errorf("attempts are %+v, accepted at %s, want len 1", inv.Attempts, begun)
		case !inv.Attempts[0].At.Equal(begun.Add(wait)):
			t.Errorf("attempts are %+v, accepted at %s: inv.Attempts[0].At = %v, want %v", inv.Attempts, begun, inv.Attempts[0].At, begun.Add(wait))
		}
		for _, name := range []string{"late", "fn"} {
			if b := r.lanes.Throttle(invocation.Lane{Queue: queue, Name: name}).Breaker; b.Open {
				t.Errorf("the breaker of %s is open: b.Open = true, want false", name)
			}
		}
	})
}
