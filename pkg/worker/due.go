// File due.go has the timer. There is one, for the earliest due time; when it fires, due
// invocations become ready in bounded steps.

package worker

import (
	"context"
	"time"
)

// longestSleep bounds how long the timer sleeps, because the due times are of
// the store's clock and that may be set. It is also how long slots stand idle after
// the store can be relied upon again.
const longestSleep = time.Second

// afterError is how long the timer waits after an error of the store.
const afterError = 200 * time.Millisecond

// runTimer moves what falls due until ctx ends. It also lets slots begin again
// that the store had kept from working.
func (w *Worker) runTimer(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	sweep, rotate := time.Now(), time.Now() // both go through all lanes
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.Lanes.wake:
		case <-timer.C:
			w.Lanes.kick()
			if now := time.Now(); !now.Before(rotate) {
				w.Lanes.rotate()
				rotate = now.Add(longestSleep)
			}
			w.moveDue(ctx)
			now := time.Now()
			w.Lanes.open(now) // after the due ones, which may have to go first
			if !now.Before(sweep) {
				w.Lanes.forgetThrottles(now)
				sweep = now.Add(throttleSweep)
			}
		}
		w.Lanes.giveBack(ctx, w.Store)
		w.Lanes.refill(ctx, w.Store)
		timer.Reset(w.sleep())
	}
}

// sleep is how long the timer has nothing to do.
func (w *Worker) sleep() time.Duration {
	left := w.Store.NextDue().Sub(w.Store.Now())
	if opens := w.Lanes.nextOpening(); !opens.IsZero() {
		left = min(left, time.Until(opens))
	}
	return min(max(left, 0), longestSleep)
}

// moveDue makes all due invocations ready. After an error it waits a little; the store has
// logged the error, and raises NextDue while it cannot read due invocations.
func (w *Worker) moveDue(ctx context.Context) {
	if w.Store.Now().Before(w.Store.NextDue()) {
		return
	}
	for more := true; more && ctx.Err() == nil; {
		var err error
		if more, err = w.Store.MoveDue(ctx); err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(afterError):
			}
			return
		}
	}
}
