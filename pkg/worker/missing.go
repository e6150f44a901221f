// File missing.go handles a 404, which is of a function, or of a gateway that has no such
// function, perhaps because it is being redeployed.

package worker

import (
	"context"
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
)

// missing is since when the calls of an invocation find no function, the zero time
// when there is one or it is unknown. Only where a 404 is final the gateway is queried.
func (w *Worker) missing(ctx context.Context, a *attempt) time.Time {
	r := a.result
	if r.Status != http.StatusNotFound || r.Cause != "" || len(r.Header[headerInternal]) > 0 {
		return time.Time{}
	}
	if w.Functions == nil || !reads(a.inv) || a.policy.Only2xx || a.policy.Codes.Has(http.StatusNotFound) {
		return time.Time{}
	}
	if !w.Functions.Missing(ctx, a.inv.Lane.Name) {
		return time.Time{}
	}
	return missingSince(a.inv)
}

// missingSince is when the first of the latest 404s came, the one before which there
// was another answer or the invocation was accepted or replayed.
func missingSince(inv *invocation.Invocation) (since time.Time) {
	calls := inv.Attempts[max(len(inv.Attempts)-1-inv.Retries, 0):]
	for n := len(calls) - 1; n >= 0 && calls[n].Status == http.StatusNotFound; n-- {
		since = calls[n].At
	}
	return since
}
