package postgres

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"queue-worker/internal/pgtest"
	"queue-worker/internal/testkit"
	"queue-worker/pkg/store"
)

// lockedBuffer is what is logged by several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.String(), text)
}

// useAll uses every connection of a store.
func useAll(t *testing.T, s *Store) {
	t.Helper()
	var all sync.WaitGroup
	for range 2 * readers {
		all.Go(func() {
			if _, err := s.Take(t.Context(), newInvocation(s, "fn").Lane, store.Ready{}, 1); err != nil {
				t.Errorf("take: got %v, want no error", err)
			}
		})
	}
	all.Wait()
	inv := accepted(t, s)
	if _, err := s.LoadReady(t.Context(), at(inv)); err != nil {
		t.Errorf("load: got %v, want no error", err)
	}
}

func TestRestartOfTheServerIsLoggedOnce(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	log := &lockedBuffer{}
	s, err := Open(t.Context(), Options{URL: server.URL("postgres"), Name: t.Name(), Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	useAll(t, s)
	server.Kill()
	testkit.Eventually(t, "the server to be missed", func() bool { return s.Err() != nil })
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the server to be used again", func() bool { return s.Err() == nil })
	useAll(t, s)
	if got := log.count("store unreachable"); got != 1 {
		t.Errorf("lines that the store is unreachable: got %d, want 1", got)
	}
	if got := log.count("store reachable again"); got != 1 {
		t.Errorf("lines that the store is reachable again: got %d, want 1", got)
	}
}
