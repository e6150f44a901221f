// File giveback.go gives back to the store what lanes have taken and will not call.

package worker

import (
	"context"
	"maps"
	"slices"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// unwant notes that the window of a lane will not be called, as the lane is dropped.
func (l *Lanes) unwant(ln *lane) {
	for _, p := range ln.waiting {
		l.unwanted[ln.key] = append(l.unwanted[ln.key], ln.ready(p))
	}
}

// giveBack gives back what lanes had taken that were dropped and are not back. After an error, of
// which the store has said why, the entries stay the worker's until it ends.
func (l *Lanes) giveBack(ctx context.Context, x index) {
	l.mu.Lock()
	unwanted := l.unwanted
	l.unwanted = map[invocation.Lane][]store.Ready{}
	l.mu.Unlock()
	for _, entries := range unwanted {
		_ = x.Give(ctx, entries)
	}
}

// giveAllBack gives back all that was taken and not called, lane by lane. It is called when no
// slot works any more.
func (l *Lanes) giveAllBack(ctx context.Context, x index) {
	l.mu.Lock()
	lanes := slices.Collect(maps.Values(l.lanes))
	l.mu.Unlock()
	for _, ln := range lanes {
		l.mu.Lock()
		l.unwant(ln)
		l.mu.Unlock()
		l.giveBack(ctx, x)
	}
}
