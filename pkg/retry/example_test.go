// Examples that keep the documentation true.

package retry_test

import (
	"fmt"
	"time"

	"queue-worker/pkg/retry"
)

// The table of the package's documentation: the waits of the default settings.
func Example() {
	p := retry.Policy{Attempts: 10, Initial: 10 * time.Second, Max: 120 * time.Second}
	var total time.Duration
	for n := 1; n <= p.Attempts; n++ {
		wait := p.Wait(n, nil)
		total += wait
		fmt.Printf("%2d %4.0fs %4.0fs\n", n, wait.Seconds(), total.Seconds())
	}
	fmt.Println("given up after", total)
	// Output:
	//  1   10s   10s
	//  2   20s   30s
	//  3   40s   70s
	//  4   80s  150s
	//  5  120s  270s
	//  6  120s  390s
	//  7  120s  510s
	//  8  120s  630s
	//  9  120s  750s
	// 10  120s  870s
	// given up after 14m30s
}

func ExamplePolicy_Decide() {
	codes, _ := retry.ParseCodes("408,429,5xx,!501")
	dead, _ := retry.ParseCodes("4xx,5xx")
	p := retry.Policy{
		Attempts: 2, Initial: 10 * time.Second, Max: 2 * time.Minute, MaxRetryAfter: time.Hour,
		Codes: codes, DeadCodes: dead,
	}
	now := time.Date(2026, time.March, 5, 12, 0, 0, 0, time.UTC)
	for _, o := range []retry.Result{{Status: 200}, {Status: 503}, {Status: 429, RetryAfter: "90"}, {Status: 501}} {
		d := p.Decide(0, o, now, nil)
		fmt.Printf("%d: %s %s %q\n", o.Status, d.Outcome, d.Wait, d.Reason)
	}
	d := p.Decide(2, retry.Result{Status: 503}, now, nil)
	fmt.Printf("%d: %s %s %q\n", 503, d.Outcome, d.Wait, d.Reason)
	// Output:
	// 200: done 0s ""
	// 503: retry 10s ""
	// 429: retry 1m30s ""
	// 501: dead 0s "non_retryable"
	// 503: dead 0s "attempts_exhausted"
}
