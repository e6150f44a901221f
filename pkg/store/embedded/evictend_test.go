package embedded

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"queue-worker/pkg/store"
)

// holdingWatcher holds the committer at the first change after it was armed.
type holdingWatcher struct {
	mu      sync.Mutex
	arrived func() // nil while it is not armed
	goOn    chan struct{}
}

func (*holdingWatcher) Ready([]store.Ready) {}
func (*holdingWatcher) Due(time.Time)       {}

func (w *holdingWatcher) Changing([]store.Change) func(error) {
	w.mu.Lock()
	arrived := w.arrived
	w.mu.Unlock()
	if arrived != nil {
		arrived()
		<-w.goOn
	}
	return func(error) {}
}

// TestAnEvictionThatIsCutShortReturnsNoLetters: the committer may still be writing to the list.
func TestAnEvictionThatIsCutShortReturnsNoLetters(t *testing.T) {
	t.Parallel()
	w := &holdingWatcher{goOn: make(chan struct{})}
	e := &evicted{T: t, o: Options{Dir: t.TempDir(), Watcher: w}, died: time.Unix(1_800_000_000, 0)}
	e.restart()
	e.letters(10, always("real"))
	ctx, cancel := context.WithCancel(t.Context())
	w.mu.Lock()
	w.arrived = cancel
	w.mu.Unlock()
	known := func(_ context.Context, f string) bool { return strings.HasPrefix(f, "real") }
	x, err := e.s.Expire(ctx, store.Bounds{MaxBytes: 500, Known: known})
	close(w.goOn)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if len(x.Letters) > 0 {
		t.Errorf("got %d letters, want none", len(x.Letters))
	}
	if err := e.s.Close(); err != nil {
		t.Error(err)
	}
}
