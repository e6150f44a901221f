// File policy_view.go has the JSON of a policy, with all waits that follow from it.

package api

import (
	"math"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/worker"
)

// Policies tell by which rules functions are called, and where each comes from.
type Policies interface {
	PolicyOf(*invocation.Invocation) worker.InForce
	PolicyFor(queue, function string) worker.InForce
}

// mostWaits bounds the schedule that is shown; the total counts all.
const mostWaits = 20

// policyView is a policy in force.
type policyView struct {
	Attempts      int               `json:"max_retry_attempts"` // -1: no limit
	Initial       string            `json:"initial_retry_wait"`
	Max           string            `json:"max_retry_wait"`
	Backoff       string            `json:"backoff"`
	Codes         string            `json:"retry_http_codes"`
	MaxRetryAfter string            `json:"max_retry_after"`
	DeadCodes     string            `json:"dead_set_codes"`
	MaxAge        string            `json:"max_age"`      // 0s: for ever
	Timeout       string            `json:"timeout"`      // of a call; 0s: the gateway decides
	MaxInflight   int               `json:"max_inflight"` // calls at a time
	Rate          float64           `json:"rate"`         // calls per second; 0: no limit
	Priority      int               `json:"priority"`
	From          map[string]string `json:"from"`
	Schedule      []string          `json:"schedule"`   // waits before the first retries
	TotalWait     string            `json:"total_wait"` // of all retries
}

func policyViewOf(p worker.InForce) *policyView {
	s := p.Schedule(mostWaits)
	v := &policyView{
		Attempts: p.Attempts, Initial: p.Initial.String(), Max: p.Max.String(), Backoff: p.Mode.String(),
		Codes: p.Codes.String(), MaxRetryAfter: p.MaxRetryAfter.String(), DeadCodes: p.DeadCodes.String(),
		MaxAge: p.MaxAge.String(), Timeout: p.Timeout.String(),
		MaxInflight: p.Lane.MaxInflight, Rate: p.Lane.Rate, Priority: p.Lane.Priority,
		From: p.From, Schedule: make([]string, len(s.Waits)), TotalWait: s.Total.String(),
	}
	for i, wait := range s.Waits {
		v.Schedule[i] = wait.String()
	}
	if s.Unlimited || s.Total == math.MaxInt64 {
		v.TotalWait = "unlimited"
	}
	return v
}
