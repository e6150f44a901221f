package embedded

// Files that are damaged: reading them is an error that says so, the rest goes
// on, and the check finds what is wrong.

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// noise is n bytes that do not compress, so that they are found in a table.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 0)) // #nosec G115 -- a test's
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// filled makes a store on disk with n invocations of 20 kB, flushed to a table
// and closed.
func filled(t *testing.T, n int) (dir string, all []*invocation.Invocation) {
	t.Helper()
	dir = t.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	p := newPlayer(s)
	for i := range n {
		inv, _ := p.make(0)
		done := make(chan error, 1)
		s.Accept(store.Accept{Inv: inv, Raw: noise(uint64(i), 20_000), Source: &store.Source{Sequence: uint64(i)}}, func(err error) { done <- err }) // #nosec G115 -- small
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		all = append(all, inv)
	}
	if err := errors.Join(s.db.Flush(), s.Close()); err != nil {
		t.Fatal(err)
	}
	return dir, all
}

// files returns the files of the store whose names match.
func files(t *testing.T, dir, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "store", pattern))
	switch {
	case err != nil:
		t.Fatalf("no %s in the store: %v, want no error", pattern, err)
	case len(names) == 0:
		t.Fatalf("no %s in the store: %v: got %v, want at least 1 names", pattern, err, len(names))
	}
	return names
}

// damageBytes flips a bit in the middle of what stands in a table as given.
func damageBytes(t *testing.T, dir string, what []byte) {
	t.Helper()
	for _, name := range files(t, dir, "*.sst") {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(b, what); at >= 0 {
			b[at+len(what)/2] ^= 1
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("not found in any table")
}

func TestADamagedTableCostsOnlyWhatIsInIt(t *testing.T) {
	t.Parallel()
	dir, all := filled(t, 10)
	damageBytes(t, dir, noise(4, 20_000)[8_000:8_100])
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Health(); err != nil {
		t.Errorf("health is %v before anything was read, want no error", err)
	}
	p := newPlayer(s)
	for i, inv := range all {
		_, raw, err := s.Load(t.Context(), inv.ID)
		if i == 4 {
			if !pebble.IsCorruptionError(err) {
				t.Errorf("loading what is damaged gives %v", err)
			}
			if _, err := s.Get(t.Context(), inv.ID); err != nil {
				t.Errorf("its record: %v, want no error", err)
			}
			continue
		}
		switch { // #nosec G115 -- small
		case err != nil:
			t.Errorf("loading number %d: %v, want no error", i, err)
		case !bytes.Equal(raw, noise(uint64(i), 20_000)):
			t.Errorf("loading number %d: %v, want %.100q", i, err, noise(uint64(i), 20_000))
		}
		if err := p.settle(inv, invocation.OutcomeDone, nil, false); err != nil {
			t.Errorf("settling number %d: %v, want no error", i, err)
		}
	}
	switch err := s.Health(); {
	case err == nil:
		t.Errorf("health is %v, want an error", err)
	case !strings.Contains(err.Error(), "damaged"):
		t.Errorf(`health is %v, want "damaged" in Error`, err)
	}
	if err := errors.Join(s.Err(), s.Full(), s.Failed()); err != nil {
		t.Errorf("the rest need not rest: %v, want no error", err)
	}
	if err := p.settle(all[4], invocation.OutcomeDead, func(i *invocation.Invocation) { i.DiedAt = p.time() }, false); err != nil {
		t.Errorf("burying what is damaged: %v, want no error", err)
	}
	switch page, err := s.Letters(t.Context(), store.Filter{}, "", 10); {
	case err != nil:
		t.Errorf("listing it: %v, %v, want no error", page, err)
	case len(page.Letters) != 1:
		t.Errorf("listing it: %v, %v, want 1 letter", page, err)
	}
}

// TestADamagedTableStopsNeitherWritesNorTheProcessor: Pebble would begin a
// compaction that fails again at once, for ever.
func TestADamagedTableStopsNeitherWritesNorTheProcessor(t *testing.T) {
	t.Parallel()
	dir, _ := filled(t, 10)
	damageBytes(t, dir, noise(4, 20_000)[8_000:8_100])
	s, err := Open(Options{Dir: dir, tune: func(o *pebble.Options) { o.L0CompactionThreshold = 2 }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	p := newPlayer(s)
	for range 30 {
		if err := errors.Join(p.burst(4, 1000), s.db.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	for s.db.Metrics().Compact.FailedCount == 0 {
		time.Sleep(time.Millisecond) // no event tells when a compaction has failed
	}
	begin := time.Now()
	for range 30 {
		if err := errors.Join(p.burst(4, 1000), s.db.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	if failed, most := s.db.Metrics().Compact.FailedCount, 2+int64(time.Since(begin)/firstRest); failed > most {
		t.Errorf("%d compactions failed, at most %d could have begun, want at most %v", failed, most, most)
	}
	if err := s.Health(); err == nil {
		t.Errorf("health says nothing: got %v, want an error", err)
	}
}

func TestWhatIsDamagedAtOpenIsSaidWithAHint(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, pattern string
		damage        func([]byte) []byte
	}{
		{"a MANIFEST with a flipped bit", "MANIFEST-*", func(b []byte) []byte { b[20] ^= 4; return b }},
		{"a MANIFEST that is cut off", "MANIFEST-*", func(b []byte) []byte { return b[:10] }},
		{"an empty MANIFEST", "MANIFEST-*", func(b []byte) []byte { return b[:0] }},
		{"a table that is cut off", "*.sst", func(b []byte) []byte { return b[:len(b)/2] }},
		{"a table that is empty", "*.sst", func(b []byte) []byte { return b[:0] }},
		{"a table with another end", "*.sst", func(b []byte) []byte { copy(b[len(b)-40:], make([]byte, 40)); return b }},
		{"an index that cannot be read", "*.sst", func(b []byte) []byte {
			if at := bytes.LastIndex(b, []byte("r/q")); at >= 0 {
				b[at] ^= 1
			}
			return b
		}},
		{"a table that is missing", "*.sst", nil},
		{"a MANIFEST that is missing", "MANIFEST-*", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir, _ := filled(t, 10)
			for _, name := range files(t, dir, tt.pattern) {
				if err := damageFile(name, tt.damage); err != nil {
					t.Fatal(err)
				}
			}
			s, err := Open(Options{Dir: dir})
			if err == nil {
				t.Fatalf("opened in spite of it: %v: got %v, want an error", s.Close(), err)
			}
			switch text := err.Error(); {
			case !strings.HasPrefix(text, "data_dir "+dir):
				t.Errorf("error is %q, want %q at its beginning", text, "data_dir "+dir)
			case !strings.Contains(text, "store check"):
				t.Errorf(`error is %q, want "store check" in it`, text)
			}
			r, err := Check(t.Context(), dir, nil)
			switch {
			case err != nil:
				t.Errorf("the check finds %q, %v, want no error", r.Findings, err)
			case r.OK():
				t.Errorf("the check finds %q, %v, want not OK", r.Findings, err)
			}
			t.Log(r.Findings)
		})
	}
}

func damageFile(name string, damage func([]byte) []byte) error {
	if damage == nil {
		return os.Remove(name)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, damage(b), 0o600)
}
