// File calls.go has what is behind invocations and functions: a worker that is not running,
// so that everything stays where a test has put it, and calls that a test moves itself.

package apitest

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/retry"
	"queue-worker/pkg/store"
	"queue-worker/pkg/worker"
)

// requests is a store of which a worker that never runs reads the QueueRequests.
type requests struct {
	worker.Store
	from store.Store
}

func (r requests) Load(ctx context.Context, id invocation.ID) (*invocation.Invocation, []byte, error) {
	return r.from.Load(ctx, id)
}

// withWorker adds a worker that never runs.
func withWorker(o *admin.Options, s store.Store) {
	lanes := worker.NewLanes(worker.LanesOptions{MaxInflight: 4})
	codes, _ := retry.ParseCodes("429,503")
	o.Lanes, o.Worker = lanes, worker.New(worker.Options{
		Store: requests{from: s}, Lanes: lanes, Logger: slog.New(slog.DiscardHandler),
		Policy: policy.Policy{
			Policy:  retry.Policy{Attempts: 3, Initial: 10 * time.Second, Max: 30 * time.Second, MaxRetryAfter: time.Hour, Codes: codes},
			Timeout: time.Minute, Lane: policy.Lane{MaxInflight: 4, Priority: 5},
		},
	})
}

// Calls are the calls in flight that a test names. One that is cancelled ends as the test wants it.
type Calls struct {
	mu  sync.Mutex
	ids []invocation.ID
	// Lately are the latest calls.
	Lately  map[invocation.Lane]worker.Activity
	Settled func(invocation.ID) // what the worker does after a Cancel; nil: Cancel comes too late
}

// Start puts invocations in flight.
func (c *Calls) Start(ids ...invocation.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids = append(c.ids, ids...)
}

// InFlight implements admin.Calls.
func (c *Calls) InFlight() []invocation.ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]invocation.ID{}, c.ids...)
}

// RunningSince is since when the calls of Calls are in flight.
var RunningSince = Begin.Add(time.Hour)

// RunningSince implements admin.Calls.
func (c *Calls) RunningSince(id invocation.ID) time.Time {
	if slices.Contains(c.InFlight(), id) {
		return RunningSince
	}
	return time.Time{}
}

// Activity implements admin.Calls.
func (c *Calls) Activity() map[invocation.Lane]worker.Activity { return c.Lately }

// Cancel implements admin.Calls.
func (c *Calls) Cancel(id invocation.ID) bool {
	if c.Settled == nil || !slices.Contains(c.InFlight(), id) {
		return false
	}
	c.mu.Lock()
	settled := c.Settled
	c.ids, c.Settled = nil, nil
	c.mu.Unlock()
	go settled(id)
	return true
}

// PendingAt makes an invocation that waits. Different n are accepted in the order of n.
func PendingAt(n int, function string) *invocation.Invocation {
	inv := DeadAt(n)
	inv.State, inv.Reason, inv.DiedAt = invocation.Pending, "", time.Time{}
	inv.Function, inv.Lane.Name = function, function
	return inv
}

// DelayedAt is one that falls due in an hour.
func DelayedAt(n int, function string) *invocation.Invocation {
	inv := PendingAt(n, function)
	inv.Since = time.Now().Add(time.Hour).Round(0)
	return inv
}

// Settle ends an invocation that is ready, as the worker does it.
func (r *Rig) Settle(t testing.TB, inv *invocation.Invocation, v invocation.Outcome, res *store.Result) {
	t.Helper()
	at := store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}
	if err := r.Store.Settle(context.Background(), store.Settlement{At: at, Outcome: v, Inv: inv, Result: res}); err != nil {
		t.Fatal(err)
	}
}
