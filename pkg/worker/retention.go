// File retention.go removes what is stored for a time only, or within a bound: dead letters,
// results and idempotency keys.

package worker

import (
	"context"
	"log/slog"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// retentionPeriod is how often the bounds are checked.
const retentionPeriod = 10 * time.Second

// Retention keeps a store within its bounds.
type Retention struct {
	Store  store.Store
	Lanes  *Lanes // the one that watches Store
	Known  Known
	Logger *slog.Logger
	// MaxAge and MaxBytes bound the dead set; 0 for no bound.
	MaxAge   time.Duration
	MaxBytes int64
}

// Known reports whether a function exists, and whether that is sure.
type Known func(ctx context.Context, function string) (known, sure bool)

// Run checks the bounds now and every retentionPeriod until ctx ends.
func (r *Retention) Run(ctx context.Context) {
	tick := time.NewTicker(retentionPeriod)
	defer tick.Stop()
	for {
		r.expire(ctx)
		r.sweep(ctx)
		r.adopt(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// expire removes dead letters beyond the bounds of the dead set.
func (r *Retention) expire(ctx context.Context) {
	bounds := store.Bounds{MaxAge: r.MaxAge, MaxBytes: r.MaxBytes, Known: r.knownFunctions()}
	if bounds.MaxAge == 0 && bounds.MaxBytes == 0 {
		return
	}
	for ctx.Err() == nil {
		expired, err := r.Store.Expire(ctx, bounds)
		if err != nil && ctx.Err() == nil {
			r.Logger.Warn("dead set retention failed", "error", err)
		}
		if err != nil || len(expired.Letters) == 0 {
			return
		}
		r.logExpired(expired)
	}
}

// mostLanesLogged is how many lanes have a line of their own in the log of one step.
const mostLanesLogged = 10

// logExpired logs what one step has removed: a line for each of the first lanes, and one
// for all others together.
func (r *Retention) logExpired(x store.Expired) {
	lanes, byLane := []invocation.Lane{}, map[invocation.Lane][]*invocation.Invocation{}
	for _, inv := range x.Letters {
		l := inv.Lane
		if byLane[l] == nil && len(lanes) >= mostLanesLogged {
			l = invocation.Lane{Name: "(other)"}
		}
		if byLane[l] == nil {
			lanes = append(lanes, l)
		}
		byLane[l] = append(byLane[l], inv)
	}
	for _, l := range lanes {
		dropped := byLane[l]
		first, last := dropped[0], dropped[len(dropped)-1]
		r.Logger.Warn("dead letters dropped by dead_set_max_age or dead_set_max_bytes", "count", len(dropped),
			"class", x.Class, keyQueue, l.Queue, "lane", l.Name,
			"first_id", first.ID.String(), "last_id", last.ID.String(), "died_from", first.DiedAt, "died_to", last.DiedAt)
	}
}

// knownFunctions returns the check whether a function exists: those that the gateway surely
// knows, and those of which a call has succeeded. While the gateway cannot tell, all
// others count as unknown, because invented names must not look like functions.
func (r *Retention) knownFunctions() func(context.Context, string) bool {
	var proven map[string]bool
	return func(ctx context.Context, function string) bool {
		if proven == nil {
			proven = map[string]bool{}
			for _, l := range r.Lanes.Proven() {
				proven[l.Name] = true
			}
		}
		if proven[function] {
			return true
		}
		known, sure := r.Known(ctx, function)
		return known && sure
	}
}

// sweep removes expired idempotency keys and results.
func (r *Retention) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := r.Store.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			r.Logger.Warn("expired idempotency keys and results not removed", "error", err)
		}
		if err != nil || n == 0 {
			return
		}
	}
}

// adopt lets functions that exist be counted by themselves, whatever names callers have
// invented beside them.
func (r *Retention) adopt(ctx context.Context) {
	if len(r.Store.Rest()) == 0 {
		return
	}
	_ = r.Store.Adopt(ctx, r.Lanes.Proven()) // the store logs why; totals are right all the same
}
