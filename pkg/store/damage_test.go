package store

// Files that are damaged: reading them is an error that says so, the rest goes
// on, and the check finds what is wrong.

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/invocation"
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
	p := &player{Store: s, ledger: newLedger(), now: time.Now()}
	for i := range n {
		inv, _ := p.make(0)
		done := make(chan error, 1)
		s.Accept(Accept{Inv: inv, Raw: noise(uint64(i), 20_000), Door: &Door{Sequence: uint64(i)}}, func(err error) { done <- err }) // #nosec G115 -- small
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
	if err != nil || len(names) == 0 {
		t.Fatalf("no %s in the store: %v", pattern, err)
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
		t.Errorf("health is %v before anything was read", err)
	}
	p := &player{Store: s, ledger: newLedger(), now: time.Now()}
	for i, inv := range all {
		_, raw, err := s.Load(inv.ID)
		if i == 4 {
			if !pebble.IsCorruptionError(err) {
				t.Errorf("loading what is damaged gives %v", err)
			}
			if _, err := s.Get(inv.ID); err != nil {
				t.Errorf("its record: %v", err)
			}
			continue
		}
		if err != nil || !bytes.Equal(raw, noise(uint64(i), 20_000)) { // #nosec G115 -- small
			t.Errorf("loading number %d: %v", i, err)
		}
		if err := p.settle(inv, Done, nil, false); err != nil {
			t.Errorf("settling number %d: %v", i, err)
		}
	}
	if err := s.Health(); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("health is %v", err)
	}
	if err := errors.Join(s.Err(), s.Full(), s.Failed()); err != nil {
		t.Errorf("the rest need not rest: %v", err)
	}
	if err := p.settle(all[4], Bury, func(i *invocation.Invocation) { i.DiedAt = p.now }, false); err != nil {
		t.Errorf("burying what is damaged: %v", err)
	}
	if page, _, err := s.ListDead("", 10); err != nil || len(page) != 1 {
		t.Errorf("listing it: %v, %v", page, err)
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
	p := &player{Store: s, ledger: newLedger(), now: time.Now()}
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
		t.Errorf("%d compactions failed, at most %d could have begun", failed, most)
	}
	if err := s.Health(); err == nil {
		t.Error("health says nothing")
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
				t.Fatalf("opened in spite of it: %v", s.Close())
			}
			if text := err.Error(); !strings.HasPrefix(text, "data_dir "+dir) || !strings.Contains(text, "store check") {
				t.Errorf("error is %q", text)
			}
			r, err := Check(dir, nil)
			if err != nil || r.OK() {
				t.Errorf("the check finds %q, %v", r.Findings, err)
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

func TestCheck(t *testing.T) {
	t.Parallel()
	id := invocation.ID{1, 2, 3}
	tests := []struct {
		name   string
		damage func(t *testing.T, s *Store, inv *invocation.Invocation)
		want   string // a part of the only finding; "" for none
	}{
		{"nothing is wrong", func(*testing.T, *Store, *invocation.Invocation) {}, ""},
		{"an index entry is missing", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			remove(t, s, appendReadyKey(nil, Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}))
		}, "is in no index: it would never be called"},
		{"there are two index entries", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			put(t, s, appendTimedKey(nil, delayedPrefix, inv.Since, inv.ID), delayedValue(inv.Size, inv.Lane))
		}, "is ready and delayed at once"},
		{"an index entry points nowhere", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			put(t, s, appendReadyKey(nil, Ready{Lane: inv.Lane, Since: inv.Since, ID: id}), readyValue(1))
		}, "belongs to no invocation"},
		{"an index entry has another size", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			put(t, s, appendReadyKey(nil, Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}), readyValue(1))
		}, "does not agree with its record"},
		{"an index entry is at another time", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			put(t, s, appendReadyKey(nil, Ready{Lane: inv.Lane, Since: inv.Since.Add(1), ID: inv.ID}), readyValue(inv.Size))
		}, "does not agree with its record"},
		{"an index entry is noise", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			put(t, s, append([]byte("d/"), id[:]...), nil)
		}, "cannot be understood"},
		{"the QueueRequest is missing", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			remove(t, s, appendBytesKey(nil, inv.ID))
		}, "has lost its QueueRequest"},
		{"the QueueRequest is cut off", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			put(t, s, appendBytesKey(nil, inv.ID), []byte("x"))
		}, "has a QueueRequest of 1 bytes, it came with 50"},
		{"a QueueRequest is left over", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			put(t, s, appendBytesKey(nil, id), []byte("x"))
		}, "belongs to no invocation"},
		{"a record is noise", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			put(t, s, appendRecordKey(nil, inv.ID), []byte{0xc1})
		}, "cannot be understood"},
		{"the call id is missing", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			remove(t, s, appendCallKey(nil, inv.CallID, inv.ID))
		}, "cannot be found by its call id"},
		{"a call id points nowhere", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			put(t, s, appendCallKey(nil, "c", id), nil)
		}, "which is not there"},
		{"a call id points to another", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			put(t, s, appendCallKey(nil, "other", inv.ID), nil)
		}, "which has another"},
		{"there is a key of no known kind", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			put(t, s, []byte("q"), nil)
		}, `key "q" is of no known kind`},
		{"the version is missing", func(t *testing.T, s *Store, _ *invocation.Invocation) { remove(t, s, versionKey) }, "version is missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewMem()
			p := playerOn(t, mem)
			if err := errors.Join(p.lives(), p.dies(t.Context())); err != nil {
				t.Fatal(err)
			}
			inv, err := p.do(50, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.do(70, func(i *invocation.Invocation) { i.Since = p.now.Add(time.Hour) }); err != nil {
				t.Fatal(err)
			}
			p.letter(t)
			p.Hold(2, inv.ID)
			st, mem2 := p.Stats(), clone(t, mem)
			tt.damage(t, p.Store, inv)
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			var steps []string
			r, err := check(Options{Dir: "data", FS: mem}, func(step string) { steps = append(steps, step) })
			if err != nil || len(steps) == 0 {
				t.Fatalf("%v, steps %v", err, steps)
			}
			if tt.want != "" {
				if len(r.Findings) == 0 || !strings.Contains(strings.Join(r.Findings, "\n"), tt.want) || r.OK() {
					t.Errorf("found %q, want %q", r.Findings, tt.want)
				}
				return
			}
			if !r.OK() || r.Ready != st.Ready || r.Delayed != st.Delayed || r.Dead != st.Dead || r.Bytes != st.Bytes ||
				r.Invocations != st.Ready+st.Delayed+st.Dead || r.Marks == 0 || r.InHand != 0 {
				t.Errorf("report %+v, counts %+v", r, st)
			}
			if r, err := check(Options{Dir: "data", FS: mem2}, nil); err != nil || r.InHand != 3 || !r.OK() {
				t.Errorf("while it was in hand: %+v, %v", r, err)
			}
		})
	}
}

// clone copies a file system as it is.
func clone(t *testing.T, from *vfs.MemFS) *vfs.MemFS {
	t.Helper()
	to := vfs.NewMem()
	if _, err := vfs.Clone(from, to, "data", "data"); err != nil {
		t.Fatal(err)
	}
	return to
}

func put(t *testing.T, s *Store, key, value []byte) {
	t.Helper()
	if err := s.db.Set(key, value, pebble.Sync); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, s *Store, key []byte) {
	t.Helper()
	if err := s.db.Delete(key, pebble.Sync); err != nil {
		t.Fatal(err)
	}
}

func TestCheckRefusesWhatItCannotCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Check(dir, nil); err == nil || !strings.Contains(err.Error(), "there is no store in it") {
		t.Errorf("an empty folder gives %v", err)
	}
	if _, err := Check(filepath.Join(dir, "nowhere"), nil); err == nil || !strings.Contains(err.Error(), "there is no store in it") {
		t.Errorf("a missing folder gives %v", err)
	}
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Check(dir, nil); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "stop the worker first") {
		t.Errorf("a folder in use gives %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r, err := Check(dir, nil); err != nil || !r.OK() {
			t.Errorf("an empty store gives %+v, %v", r, err)
		}
	}
}

func TestCheckNamesTheDamagedTable(t *testing.T) {
	t.Parallel()
	dir, _ := filled(t, 10)
	damageBytes(t, dir, noise(4, 20_000)[8_000:8_100])
	before := snapshot(t, dir)
	r, err := Check(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.OK() || len(r.Findings) != 3 || r.Tables < 2 || r.Invocations != 10 {
		t.Errorf("report %+v", r)
	}
	if !regexp.MustCompile(`^table [0-9]{6}\.sst is damaged: .*checksum mismatch`).MatchString(r.Findings[0]) {
		t.Errorf("the first finding is %q", r.Findings[0])
	}
	if after := snapshot(t, dir); after != before {
		t.Errorf("the check has changed the folder from %q to %q", before, after)
	}
}

// snapshot is the names and sizes of all files but the lock.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, name := range files(t, dir, "*") {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Name() != "LOCK" {
			b.WriteString(info.Name() + " " + info.ModTime().String() + "\n")
		}
	}
	return b.String()
}
