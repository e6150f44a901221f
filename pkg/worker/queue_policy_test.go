package worker

import (
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/retry"
)

func TestAQueueHasItsOwnPolicy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(statuses(500))
		s := defaults(t)
		own := s.policy
		own.Attempts = 3
		s.caller, s.queues = f, map[string]policy.Policy{"slow": own}
		s.policy.Attempts = 1
		r := start(t, s)
		r.accept(to("fn"))
		r.acceptAs(to("other"), func(inv *invocation.Invocation) { inv.Lane.Queue = "slow" })
		pass(time.Hour)
		if a, b := len(f.of("fn")), len(f.of("other")); a != 2 || b != 4 {
			t.Errorf("%d and %d calls, want 2 and 4", a, b)
		}
	})
}

func mustCodes(list string) retry.Codes {
	c, err := retry.ParseCodes(list)
	if err != nil {
		panic(err)
	}
	return c
}
