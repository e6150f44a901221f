package policy_test

// Examples that keep the documentation true.

import (
	"fmt"
	"time"

	"queue-worker/pkg/policy"
	"queue-worker/pkg/retry"
)

func ExamplePolicy_With() {
	p := policy.Policy{Policy: retry.Policy{Attempts: 10, Initial: 10 * time.Second, Max: 2 * time.Minute}}
	p, problems := p.With(map[string]string{
		"com.openfaas.retry.attempts": "30",
		"com.openfaas.retry.min_wait": "5",
		"com.openfaas.retry.max_wait": "soon",
		"queue-worker.max_inflight":   "5",
	}, policy.GatewayAnnotation)
	fmt.Println(p.Attempts, p.Initial, p.Max, p.Lane.MaxInflight, p.Sources[policy.Max])
	for _, problem := range problems {
		fmt.Println(problem)
	}
	// Output:
	// 30 5s 2m0s 5 worker
	// com.openfaas.retry.max_wait is "soon": expected a duration such as 10s or 2m, or a number of seconds, from 0 to 8760h
}
