package embedded

import (
	"sync"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
)

// TestALoadDuringAChangeIsNotTrusted: whichever comes first, the load or the change, the settlement
// of what was loaded has to look whether it is still there.
func TestALoadDuringAChangeIsNotTrusted(t *testing.T) {
	t.Parallel()
	id := invocation.NewID(time.Now())
	runs := 200_000
	if testing.Short() {
		runs = 50_000
	}
	for n := range runs {
		h := newHandover(0)
		var both sync.WaitGroup
		both.Go(func() { h.act(id) })
		both.Go(func() { h.load(id); h.read(id, true) })
		both.Wait()
		if _, sure := h.forget(id); sure {
			t.Fatalf("run %d: what was loaded during a change is trusted, want it looked up", n)
		}
	}
}
