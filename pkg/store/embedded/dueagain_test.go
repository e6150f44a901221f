package embedded

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
)

// TestDueInvocationsThatCannotBeReadAreTriedLessAndLess damages the index while the store is
// open: every step fails from then on, and each new delayed invocation lies behind the damage.
func TestDueInvocationsThatCannotBeReadAreTriedLessAndLess(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p, dir := newPlayer(nil), t.TempDir()
	s, err := Open(Options{
		Dir: dir, Now: p.time, Sync: time.Hour, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		tune: func(o *pebble.Options) { o.CacheSize = 1 },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	p.Store = s
	delay := func(d time.Duration) {
		t.Helper()
		if _, err := p.do(10, func(i *invocation.Invocation) { i.Since = p.time().Add(d) }); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3000 {
		delay(time.Duration(i+1) * time.Second)
	}
	damageDelayed(t, s, dir)
	p.pass(time.Hour)
	begin, tries := p.time(), 0
	for p.time().Before(begin.Add(10 * time.Minute)) {
		delay(time.Millisecond)
		if p.pass(time.Second); p.time().Before(s.NextDue()) {
			continue
		}
		tries++
		switch more, err := s.MoveDue(t.Context()); {
		case err == nil:
			t.Fatalf("a step over damage gives %v, %v, want an error", more, err)
		case more:
			t.Fatalf("a step over damage gives %v, %v, want not more", more, err)
		}
	}
	switch { // 0.2 to 25.6 s, then every 30 s
	case tries < 20:
		t.Errorf("%d steps were tried in ten minutes, want tries at least 20", tries)
	case tries > 30:
		t.Errorf("%d steps were tried in ten minutes, want tries at most 30", tries)
	}
	if n := s.Stats().Ready; n == 0 {
		t.Errorf("nothing before the damage was moved: got %v, want not 0", n)
	}
	if n := strings.Count(log.String(), "store cannot read its data"); n != 1 {
		t.Errorf("the error was logged %d times, want 1", n)
	}
}

// damageDelayed flushes the store and clears the middle of its table of delayed invocations.
func damageDelayed(t *testing.T, s *Store, dir string) {
	t.Helper()
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, name := range files(t, dir, "*.sst") {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(b[:min(4096, len(b))], delayedPrefix) {
			continue
		}
		clear(b[len(b)/3 : 2*len(b)/3])
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
