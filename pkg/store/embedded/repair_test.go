package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// repairOf repairs a store in memory, and holds that the source is unchanged and the result sound.
func repairOf(t testing.TB, f folder) (Repaired, *vfs.MemFS, error) {
	t.Helper()
	mem := f.onto(t)
	ctx, cancel := context.WithTimeout(context.Background(), endsWithin)
	defer cancel()
	r, err := repair(ctx, Options{Dir: "data", FS: mem}, Options{Dir: "to", FS: mem}, nil)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Fatal("the repair does not end")
	}
	after, readErr := readFolder(mem)
	if readErr != nil {
		t.Fatal(readErr)
	}
	delete(after, "LOCK")
	for name, b := range f {
		if name != "LOCK" && !bytes.Equal(after[name], b) {
			t.Errorf("the repair has changed %s", name)
		}
	}
	left, _ := mem.List("to")
	if want := []string{storeFolder}; err == nil && !slices.Equal(left, want) {
		t.Errorf("the target has %q, want %q", left, want)
	}
	if err != nil && len(left) > 0 {
		t.Errorf("after the error %v the target has %q, want nothing", err, left)
	}
	return r, mem, err
}

// contents is what a store in memory holds, by key: all that a repair copies.
func contents(t testing.TB, fsys vfs.FS, dir string) map[string]string {
	t.Helper()
	s, err := Open(Options{Dir: dir, FS: fsys, Slots: 4, EndTTL: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	all := map[string]string{}
	err = s.each(nil, nil, func(key, value []byte) (bool, error) {
		k := kindOf(key)
		if k == nil || k.derived || string(k.prefix) == string(bytesPrefix) {
			return true, nil
		}
		all[string(key)] = string(value)
		if string(k.prefix) != string(recordPrefix) {
			return true, nil
		}
		inv, raw, err := s.Load(t.Context(), invocation.ID(key[2:]))
		all[string(key)] = fmt.Sprintf("%+v %x", inv, raw)
		return true, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// missingFrom returns the keys that got lacks or has differently.
func missingFrom(got, want map[string]string) (keys []string) {
	for key, value := range want {
		if got[key] != value {
			keys = append(keys, fmt.Sprintf("%q", key))
		}
	}
	slices.Sort(keys)
	return keys
}

func TestRepairOfASoundStoreKeepsEverything(t *testing.T) {
	t.Parallel()
	base := killed()
	r, mem, err := repairOf(t, base)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Whole() || r.Invocations < 500 || r.Notes == 0 || r.Marks < 500 || r.Results == 0 || r.Ends == 0 {
		t.Errorf("got %+v, want everything", r)
	}
	if lacks := missingFrom(contents(t, mem, "to"), contents(t, base.onto(t), "data")); len(lacks) > 0 {
		t.Errorf("the result lacks %d: %q", len(lacks), lacks[0])
	}
}

// TestSalvageReadsWhatPebbleReads reads the files one by one although all of them are sound.
func TestSalvageReadsWhatPebbleReads(t *testing.T) {
	t.Parallel()
	mem := killed().onto(t)
	target, err := Open(Options{Dir: "to", FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = target.Close() }()
	s := newStore(Options{Dir: "data", FS: mem})
	fsys := newCheckFS(t.Context(), mem, nil)
	s.raw, s.fs = fsys, fsys
	v := newSalvage(s, fsys.steps, func() {})
	if err := v.into(target, "to/scratch"); err != nil {
		t.Fatal(err)
	}
	if len(v.losses) > 0 {
		t.Errorf("losses %+v, want none", v.losses)
	}
	if err := s.openReadOnly(); err != nil {
		t.Fatal(err)
	}
	read := func(o origin) map[string]string {
		all := map[string]string{}
		if err := o.between(nil, nil, func(key, value []byte) error { all[string(key)] = string(value); return nil }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	got, want := read(origin{v.scratch, v}), read(origin{db: s.db})
	if lacks := missingFrom(got, want); len(lacks) > 0 {
		t.Errorf("salvaged %d keys without %d, such as %s", len(got), len(lacks), lacks[0])
	}
	if more := missingFrom(want, got); len(more) > 0 {
		t.Errorf("salvaged %d that are not there, such as %s", len(more), more[0])
	}
	if err := errors.Join(v.scratch.Close(), s.db.Close()); err != nil {
		t.Error(err)
	}
}

func TestRepairOfEachDamagedIndex(t *testing.T) {
	t.Parallel()
	base := killed()
	want := contents(t, base.onto(t), "data")
	for _, k := range keyKinds {
		if !k.derived {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			mem := base.onto(t)
			s, err := Open(Options{Dir: "data", FS: mem, Slots: 4, EndTTL: 24 * time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(s.db.DeleteRange(k.prefix, after(k.prefix), pebble.Sync), s.Close()); err != nil {
				t.Fatal(err)
			}
			f, err := readFolder(mem)
			if err != nil {
				t.Fatal(err)
			}
			r, fixed, err := repairOf(t, f)
			if err != nil {
				t.Fatal(err)
			}
			if !r.Whole() {
				t.Errorf("got %+v, want nothing lost", r)
			}
			if lacks := missingFrom(contents(t, fixed, "to"), want); len(lacks) > 0 {
				t.Errorf("the result lacks %d: %s", len(lacks), lacks[0])
			}
		})
	}
}

func TestRepairListsWhatIsTornOut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		damage func(t *testing.T, s *Store, id invocation.ID)
		want   string // in the reason
	}{
		{"a record", func(t *testing.T, s *Store, id invocation.ID) { remove(t, s, appendRecordKey(nil, id)) }, `its record is missing (ready, function "`},
		{"a QueueRequest", func(t *testing.T, s *Store, id invocation.ID) { remove(t, s, appendBytesKey(nil, id)) }, "its QueueRequest is missing (call id"},
		{"a record that is noise", func(t *testing.T, s *Store, id invocation.ID) { put(t, s, appendRecordKey(nil, id), []byte{0xc1}) }, "cannot be understood"},
		{"a part of a QueueRequest", func(t *testing.T, s *Store, id invocation.ID) { put(t, s, appendBytesKey(nil, id), []byte("x")) }, "has 1 bytes, it came with 4097"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewMem()
			p := playerOn(t, mem)
			lost, err := p.do(inlineBytes+1, nil)
			if err != nil {
				t.Fatal(err)
			}
			kept, err := p.do(inlineBytes+1, nil)
			if err != nil {
				t.Fatal(err)
			}
			tt.damage(t, p.Store, lost.ID)
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			r, err := repair(t.Context(), Options{Dir: "data", FS: mem}, Options{Dir: "to", FS: mem}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Whole() || r.Invocations != 1 {
				t.Errorf("got %+v, want one lost and one kept", r)
			}
			if len(r.Lost) != 1 || r.Lost[0].ID != lost.ID || !strings.Contains(r.Lost[0].Why, tt.want) {
				t.Errorf("lost %+v, want %s with %q", r.Lost, lost.ID, tt.want)
			}
			s, err := Open(Options{Dir: "to", FS: mem})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Load(t.Context(), kept.ID); err != nil {
				t.Errorf("loading the other: %v, want nil", err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRepairCountsLostKeysAndResults(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	p := playerOn(t, mem)
	p.set(checkedKey.Expires)
	p.ended(t)
	k := checkedKey
	k.Expires = k.Expires.Add(1e9)
	if err := p.Claim(t.Context(), k, invocation.ID{1}, "c"); err != nil {
		t.Fatal(err)
	}
	remove(t, p.Store, firstKey(t, p.Store, resultPrefix))
	remove(t, p.Store, firstKey(t, p.Store, claimPrefix))
	put(t, p.Store, []byte("n/long"), make([]byte, store.MaxNote+1))
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := repair(t.Context(), Options{Dir: "data", FS: mem}, Options{Dir: "to", FS: mem}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.LostResults != 1 || r.LostKeys != 1 || r.LostNotes != 1 || len(r.Lost) != 0 || r.Whole() {
		t.Errorf("got %+v, want one result, one key and one note lost", r)
	}
}

// unmarked is killed without in-flight markers, which would let each start count a crash.
func unmarked() folder {
	f := copyOf(killed())
	delete(f, marksFile)
	return f
}

// TestRepairOfEveryDamage tries a third of all damages on each file, others on the next one.
func TestRepairOfEveryDamage(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("one goroutine at a time: the run without the race detector has it")
	}
	base := unmarked()
	want := contents(t, base.onto(t), "data")
	for n, name := range base.names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i, d := range append(slices.Clone(damages), damage{"missing", nil}) {
				if (i+n)%3 != 0 && d.do != nil {
					continue
				}
				if isLastLog(base, name) && slices.Contains([]string{"all zeroed", "empty", "noise", "turned round"}, d.name) {
					continue // as a log that was begun: nothing in it can be read, and nothing asks for it
				}
				f := copyOf(base)
				if d.do != nil {
					f[name] = d.do(bytes.Clone(base[name]))
				} else {
					delete(f, name)
				}
				repairAndCompare(t, d.name, f, want)
			}
		})
	}
}

func isLastLog(f folder, name string) bool {
	for other := range f {
		if isLog(other) && number(other) > number(name) {
			return false
		}
	}
	return isLog(name)
}

// repairAndCompare repairs a damaged store. Whatever the result lacks of what was there has to be
// reported.
func repairAndCompare(t *testing.T, name string, f folder, want map[string]string) {
	t.Helper()
	r, mem, err := repairOf(t, f)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	lacks := missingFrom(contents(t, mem, "to"), want)
	lacks = slices.DeleteFunc(lacks, func(key string) bool { return strings.Contains(key, secretNote) })
	if len(lacks) > 0 && r.Whole() {
		t.Errorf("%s: everything was kept, it says, but %d keys are not there: %s", name, len(lacks), lacks[0])
	}
}

// TestRepairOfFlippedBytes flips random bytes in every file at once.
func TestRepairOfFlippedBytes(t *testing.T) {
	t.Parallel()
	base := unmarked()
	want := contents(t, base.onto(t), "data")
	rounds := 25
	if testing.Short() {
		rounds = 4
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 11)) // #nosec G404 G115 -- a test's
		f := copyOf(base)
		for name, b := range base {
			b = bytes.Clone(b)
			for range r.IntN(3) {
				if len(b) > 0 {
					b[r.IntN(len(b))] ^= byte(1 + r.IntN(255)) // #nosec G115 -- small
				}
			}
			f[name] = b
		}
		repairAndCompare(t, fmt.Sprintf("seed %d", seed), f, want)
	}
}

// TestATornEndOfTheLastLogIsNoLoss tears the end of the last log, which loses nothing that was confirmed.
func TestATornEndOfTheLastLogIsNoLoss(t *testing.T) {
	t.Parallel()
	base := killed()
	last := ""
	for name := range base {
		if isLastLog(base, name) {
			last = name
		}
	}
	f := copyOf(base)
	f[last] = f[last][:len(f[last])-5]
	for name := range f {
		if strings.HasPrefix(name, "MANIFEST") {
			delete(f, name)
		}
	}
	r, _, err := repairOf(t, f)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Losses) != 1 || !r.Losses[0].Rebuilt {
		t.Errorf("losses %+v, want the MANIFEST alone", r.Losses)
	}
}

// TestRepairLeavesANewerStoreAlone, also where its files have to be read one by one.
func TestRepairLeavesANewerStoreAlone(t *testing.T) {
	t.Parallel()
	mem := killed().onto(t)
	s, err := Open(Options{Dir: "data", FS: mem, Slots: 4})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, versionKey, []byte{0, 0, 0, 99})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := readFolder(mem)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := repairOf(t, f); !errors.Is(err, store.ErrNewer) {
			t.Errorf("got %v, want %v", err, store.ErrNewer)
		}
		for name := range f {
			if isManifest(name) {
				delete(f, name)
			}
		}
	}
}
