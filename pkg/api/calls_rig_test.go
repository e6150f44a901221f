package api

// What stands behind invocations and functions in the tests: a worker that is not
// running, so that everything stays where a test has put it, and hands that a test
// moves itself.

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"queue-worker/pkg/finished"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/pause"
	"queue-worker/pkg/policy"
	"queue-worker/pkg/retry"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
	"queue-worker/pkg/worker"
)

// idle is a worker before it runs.
type idle struct {
	*worker.Worker
	lanes *worker.Lanes
}

func (i idle) Throttle(l invocation.Lane) worker.Throttle { return i.lanes.Throttle(l) }

func (i idle) InFlight() map[invocation.Lane]int { return i.lanes.InFlight() }

// withCalls gives an API all that it needs for invocations and functions.
func withCalls(o *Options) {
	lanes := worker.NewLanes(worker.LanesOptions{MaxInflight: 4})
	codes, _ := retry.ParseCodes("429,503")
	w := worker.New(worker.Options{
		Store: o.Store.(*embedded.Store), Lanes: lanes, Logger: slog.New(slog.DiscardHandler),
		Policy: policy.Policy{
			Policy:  retry.Policy{Attempts: 3, Initial: 10 * time.Second, Max: 30 * time.Second, MaxRetryAfter: time.Hour, Codes: codes},
			Timeout: time.Minute, Lane: policy.Lane{MaxInflight: 4, Priority: 5},
		},
	})
	o.Watch, o.Hands, o.Policies, o.Activity = finished.New(), &hands{}, w, idle{w, lanes}
	o.Pauses = pause.New(o.Store.(*embedded.Store), lanes, slog.New(slog.DiscardHandler))
	o.MaxResponseBytes = 1 << 20
}

// hands hold what a test says. A call that is cancelled ends as the test wants it.
type hands struct {
	mu      sync.Mutex
	ids     []invocation.ID
	settled func(invocation.ID) // what the worker does after a Cancel; nil: Cancel comes too late
}

func (h *hands) take(ids ...invocation.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ids = append(h.ids, ids...)
}

func (h *hands) InFlight() []invocation.ID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]invocation.ID{}, h.ids...)
}

func (h *hands) Running(id invocation.ID) bool {
	for _, other := range h.InFlight() {
		if other == id {
			return true
		}
	}
	return false
}

func (h *hands) Cancel(id invocation.ID) bool {
	if h.settled == nil || !h.Running(id) {
		return false
	}
	h.mu.Lock()
	settled := h.settled
	h.ids, h.settled = nil, nil
	h.mu.Unlock()
	go settled(id)
	return true
}

// handsOf are the hands of a rig.
func (r *rig) hands() *hands { return r.Hands.(*hands) }

// pendingAt makes an invocation that waits. Different n are accepted in the order of n.
func pendingAt(n int, function string) *invocation.Invocation {
	inv := deadAt(n)
	inv.State, inv.Reason, inv.DiedAt = invocation.Pending, "", time.Time{}
	inv.Function, inv.Lane.Name = function, function
	return inv
}

// delayedAt is one that falls due in an hour.
func delayedAt(n int, function string) *invocation.Invocation {
	inv := pendingAt(n, function)
	inv.Since = time.Now().Add(time.Hour).Round(0)
	return inv
}

// settle ends an invocation that is ready, as the worker does it.
func (r *rig) settle(t testing.TB, inv *invocation.Invocation, v invocation.Outcome, res *store.Result) {
	t.Helper()
	at := store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}
	if err := r.store.Settle(context.Background(), store.Settlement{At: at, Outcome: v, Inv: inv, Result: res}); err != nil {
		t.Fatal(err)
	}
}

// noPolicy retries nothing.
type noPolicy struct{}

func (noPolicy) PolicyOf(*invocation.Invocation) worker.InForce { return worker.InForce{} }
func (noPolicy) PolicyFor(string, string) worker.InForce        { return worker.InForce{} }
