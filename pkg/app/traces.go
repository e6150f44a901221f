// File traces.go makes the tracer before what is traced, and exports the last spans at the
// end.

package app

import (
	"context"
	"time"

	"queue-worker/pkg/trace"
)

// flushTimeout is how long the export of the last spans may take.
const flushTimeout = 5 * time.Second

func (a *App) makeTracer(ctx context.Context) error {
	a.tracer = trace.New(ctx, a.Version, a.log)
	a.onTeardown("traces", func() error {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		a.tracer.Close(ended) // what could be exported is, see flush
		return nil
	})
	return nil
}

// flush exports the last spans, as far as a drain that began at begun has time left
// for it. A second signal ends that too.
func (a *App) flush(abort context.Context, begun time.Time) {
	left := min(flushTimeout, a.Config.DrainTimeout-time.Since(begun))
	ctx, cancel := context.WithTimeout(abort, left)
	defer cancel()
	a.tracer.Close(ctx)
}
