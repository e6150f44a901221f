// File state.go has health and readiness of the process, and the periodic work that
// connects the parts.

package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// state is what only this package knows of readiness.
type state struct{ draining atomic.Bool }

func (s *state) drain() { s.draining.Store(true) }

var errDraining = errors.New("draining: the process is about to end")

// healthy is nil unless only a restart can help.
func (a *App) healthy() error { return a.store.Failed() }

// ready is nil when work is accepted and done, or every reason why not.
func (a *App) ready() error {
	if a.state.draining.Load() {
		return errDraining
	}
	var errs []error
	if err := a.store.Health(); err != nil {
		errs = append(errs, fmt.Errorf("store: %w", err))
	}
	if err := a.intake.Ready(); err != nil {
		errs = append(errs, fmt.Errorf("door: %w", err))
	}
	return errors.Join(errs...)
}

// settled reports to the intake that an invocation has finished.
func (a *App) settled(id, callback invocation.ID) { a.intake.Settled(id, callback) }

// recovered logs the invocations that were in flight when the previous process crashed.
func (a *App) recovered() error {
	r := a.store.Recovered()
	if r.InFlight > 0 {
		a.log.Warn("previous process crashed; repeating the calls that were in flight",
			"in_hand", r.InFlight, "poisoned", len(r.Poisoned))
	}
	for _, inv := range r.Poisoned {
		a.log.Warn("poison", "id", inv.ID.String(), "call_id", inv.CallID, "function", inv.Function, "crashes", inv.Crashes)
		a.metrics.GivenUp(inv, a.Config.DeadSet)
		if a.Config.DeadSet {
			continue
		}
		if err := a.store.Drop(context.Background(), inv.ID); err != nil {
			return err
		}
	}
	return nil
}

// tidyPeriod is how often the bounds of the dead set are looked at, and what is
// kept for a time only.
const tidyPeriod = 10 * time.Second

// tidy keeps the store within its bounds until ctx ends.
func (a *App) tidy(ctx context.Context) {
	tick := time.NewTicker(tidyPeriod)
	defer tick.Stop()
	for {
		a.expire(ctx)
		a.sweep(ctx)
		a.adopt(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// adopt lets functions that exist be counted by themselves, whatever names callers have
// invented beside them.
func (a *App) adopt(ctx context.Context) {
	if len(a.store.Rest()) == 0 {
		return
	}
	_ = a.store.Adopt(ctx, a.lanes.Proven()) // the store has said why; totals are right all the same
}

func (a *App) expire(ctx context.Context) {
	bounds := store.Bounds{MaxAge: a.Config.DeadSetMaxAge, MaxBytes: a.Config.DeadSetMaxBytes, Known: a.knownFunctions()}
	if bounds.MaxAge == 0 && bounds.MaxBytes == 0 {
		return
	}
	for ctx.Err() == nil {
		expired, err := a.store.Expire(ctx, bounds)
		if err != nil {
			if ctx.Err() == nil {
				a.log.Warn("dead set retention failed", "error", err)
			}
			return
		}
		taken := expired.Letters
		if len(taken) == 0 {
			return
		}
		for _, inv := range taken {
			a.watch.Ended(endOf(inv, invocation.OutcomeDropped))
		}
		a.logExpired(expired)
	}
}

// logExpired logs what one step has removed: a line for each of the first lanes, and one
// for all others together.
func (a *App) logExpired(x store.Expired) {
	const single = 10
	lanes, byLane := []invocation.Lane{}, map[invocation.Lane][]*invocation.Invocation{}
	for _, inv := range x.Letters {
		l := inv.Lane
		if byLane[l] == nil && len(lanes) >= single {
			l = invocation.Lane{Name: "(other)"}
		}
		if byLane[l] == nil {
			lanes = append(lanes, l)
		}
		byLane[l] = append(byLane[l], inv)
	}
	for _, l := range lanes {
		taken := byLane[l]
		first, last := taken[0], taken[len(taken)-1]
		a.log.Warn("dead letters dropped by dead_set_max_age or dead_set_max_bytes", "count", len(taken),
			"class", x.Class, "queue", l.Queue, "lane", l.Name,
			"first_id", first.ID.String(), "last_id", last.ID.String(), "died_from", first.DiedAt, "died_to", last.DiedAt)
	}
}

// knownFunctions returns the check whether a function exists: those that the gateway surely
// knows, and those of which a call has succeeded. While the gateway cannot tell, all
// others count as unknown, because invented names must not look like functions.
func (a *App) knownFunctions() func(context.Context, string) bool {
	var proven map[string]bool
	return func(ctx context.Context, function string) bool {
		if proven == nil {
			proven = map[string]bool{}
			for _, l := range a.lanes.Proven() {
				proven[l.Name] = true
			}
		}
		if proven[function] {
			return true
		}
		known, sure := a.functions.Known(ctx, function)
		return known && sure
	}
}

// sweep removes expired idempotency keys and results.
func (a *App) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := a.store.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			a.log.Warn("expired idempotency keys and results not removed", "error", err)
		}
		if err != nil || n == 0 {
			return
		}
	}
}

// keeper is the store as the intake sees it: without a dead set, what is dead on
// arrival is logged and not kept.
type keeper struct {
	store.Store
	app *App
}

// Accept implements intake.Store.
func (k keeper) Accept(x store.Accept, done func(error)) {
	dead := x.Inv.State == invocation.Dead
	if dead && !k.app.Config.DeadSet {
		k.app.log.Warn("discarded", "id", x.Inv.ID.String(), "call_id", x.Inv.CallID, "reason", string(x.Inv.Reason), "detail", x.Inv.Detail)
		k.app.metrics.GivenUp(x.Inv, false)
		k.app.watch.Ended(endOf(x.Inv, invocation.OutcomeDropped))
		done(nil)
		return
	}
	k.Store.Accept(x, func(err error) {
		if dead && err == nil {
			k.app.metrics.GivenUp(x.Inv, true)
		}
		if err == nil {
			k.app.watch.Changed(x.Inv) // a request may wait for it already
		}
		done(err)
	})
}
