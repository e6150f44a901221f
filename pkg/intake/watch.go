// File watch.go pauses the intake: when nothing more can be accepted, it is logged once
// and reported.

package intake

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errBound is why the intake is paused without a durable store.
var errBound = errors.New("too many unsettled messages without data_dir; wait until some are settled, or set data_dir")

// watchLoop looks at the store and the bounds, whether there is a connection or not.
func (i *Intake) watchLoop(ctx context.Context) {
	tick := time.NewTicker(i.opts.tick)
	defer tick.Stop()
	full := i.opts.Store.Full()
	for {
		i.look(full)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			// Not more often, so that a store at its bound does not make us flap.
			full = i.opts.Store.Full()
		case <-i.watch:
		}
	}
}

func (i *Intake) look(full error) {
	i.book.setFull(full != nil)
	l := i.book.load()
	i.opts.Metrics.unsettled.Set(float64(l.count))
	i.opts.Metrics.bytes.Set(float64(l.bytes))
	i.opts.Metrics.parked.Set(float64(l.parked))

	i.mu.Lock()
	was := i.rest
	i.rest = i.restReason(full, l, was)
	now := i.rest
	i.mu.Unlock()
	// The reason may have figures in it; only the change is worth a line.
	if (was == nil) != (now == nil) {
		i.report(now, l)
	}
}

// restReason is why nothing can be taken. Once at its bound, the book must come
// down to 3/4 of it before the intake is resumed: no flapping.
func (i *Intake) restReason(full error, l load, was error) error {
	switch {
	case full != nil:
		return full
	case i.durable:
		return nil // what is on its way to a commit goes by itself
	case l.atBound, errors.Is(was, errBound) && !l.relaxed:
		return fmt.Errorf("max_unsettled or max_unsettled_bytes reached: %w", errBound)
	}
	return nil
}

func (i *Intake) report(now error, l load) {
	if now != nil {
		i.opts.Metrics.resting.Set(1)
		i.log.Warn("intake paused", "reason", now, "unsettled", l.count, "bytes", l.bytes)
	} else {
		i.opts.Metrics.resting.Set(0)
		i.log.Info("intake resumed", "unsettled", l.count, "bytes", l.bytes)
	}
	if i.opts.OnRest != nil {
		i.opts.OnRest(now != nil)
	}
}
