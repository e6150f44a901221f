// File policy_view.go has the JSON of a policy, with all waits that follow from it.

package admin

import (
	"math"

	"queue-worker/pkg/wire"
	"queue-worker/pkg/worker"
)

// mostWaits bounds the schedule that is shown; the total counts all.
const mostWaits = 20

// policyViewOf is a policy in force, as JSON.
func policyViewOf(p worker.InForce) *wire.Policy {
	s := p.Schedule(mostWaits)
	v := &wire.Policy{
		Attempts: p.Attempts, Initial: p.Initial.String(), Max: p.Max.String(), Backoff: p.Mode.String(),
		Codes: p.Codes.String(), MaxRetryAfter: p.MaxRetryAfter.String(), DeadCodes: p.DeadCodes.String(),
		MaxAge: p.MaxAge.String(), Timeout: p.Timeout.String(),
		MaxInflight: p.Lane.MaxInflight, Rate: p.Lane.Rate, Priority: p.Lane.Priority,
		From: p.From, Schedule: make([]string, len(s.Waits)), TotalWait: s.Total.String(),
	}
	for i, wait := range s.Waits {
		v.Schedule[i] = wait.String()
	}
	for _, wait := range s.Shortest {
		v.Shortest = append(v.Shortest, wait.String())
	}
	for _, r := range p.Refused {
		v.Refused = append(v.Refused, wire.Refused{Name: r.Key, Value: r.Value, Expected: r.Expected})
	}
	if s.Unlimited || s.Total == math.MaxInt64 {
		v.TotalWait = "unlimited"
	}
	return v
}
