package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

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
			remove(t, s, appendReadyKey(nil, store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}))
		}, `is missing in the index "r/" (ready entries)`},
		{"there are two index entries", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			put(t, s, appendTimedKey(nil, delayedPrefix, inv.Since, inv.ID), delayedValue(inv.Size, inv.Lane, inv.Source()))
		}, "is ready and delayed at once"},
		{"an index entry points nowhere", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			put(t, s, appendReadyKey(nil, store.Ready{Lane: inv.Lane, Since: inv.Since, ID: id}), readyValue(1, 0))
		}, "belongs to nothing"},
		{"an index entry has another size", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			put(t, s, appendReadyKey(nil, store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}), readyValue(1, 0))
		}, "or does not agree with what it belongs to"},
		{"an index entry is at another time", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			put(t, s, appendReadyKey(nil, store.Ready{Lane: inv.Lane, Since: inv.Since.Add(1), ID: inv.ID}), readyValue(inv.Size, 0))
		}, "or does not agree with what it belongs to"},
		{"an index entry is noise", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			put(t, s, append([]byte("d/"), id[:]...), nil)
		}, "belongs to nothing"},
		{"the QueueRequest is missing", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			remove(t, s, appendBytesKey(nil, inv.ID))
		}, "has lost its QueueRequest"},
		{"the QueueRequest is cut off", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			put(t, s, appendBytesKey(nil, inv.ID), []byte("x"))
		}, "has a QueueRequest of 1 bytes, it came with 4097"},
		{"a QueueRequest is left over", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			put(t, s, appendBytesKey(nil, id), []byte("x"))
		}, "belongs to no invocation"},
		{"a QueueRequest is there twice", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			put(t, s, appendRecordKey(nil, inv.ID), record.EncodeInline(inv, make([]byte, inv.Size)))
		}, "has its QueueRequest twice"},
		{"the QueueRequest in a record is cut off", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			remove(t, s, appendBytesKey(nil, inv.ID))
			put(t, s, appendRecordKey(nil, inv.ID), record.EncodeInline(inv, []byte("x")))
		}, "has a QueueRequest of 1 bytes, it came with 4097"},
		{"a record ends too early", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			put(t, s, appendRecordKey(nil, inv.ID), []byte{record.InlineForm, 0x7f})
		}, "cannot be understood"},
		{"a record is noise", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			put(t, s, appendRecordKey(nil, inv.ID), []byte{0xc1})
		}, "cannot be understood"},
		{"the call id is missing", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			remove(t, s, appendCallKey(nil, inv.CallID, inv.ID))
		}, `is missing in the index "c/" (call ids)`},
		{"a call id points nowhere", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			put(t, s, appendCallKey(nil, "c", id), nil)
		}, "belongs to nothing"},
		{"a call id points to another", func(t *testing.T, s *Store, inv *invocation.Invocation) {
			put(t, s, appendCallKey(nil, "other", inv.ID), nil)
		}, "or does not agree"},
		{"there is a key of no known kind", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			put(t, s, []byte("q"), nil)
		}, `key "q" is of no known kind`},
		{"dedup records are noise", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			put(t, s, firstKey(t, s, runPrefix), []byte{0x80})
		}, "cannot be understood"},
		{"a note is too long", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			put(t, s, []byte("n/long"), make([]byte, store.MaxNote+1))
		}, `note "long": note refused: it has 65537 bytes`},
		{"an idempotency key is noise", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			put(t, s, appendClaimKey(nil, &[32]byte{9}), []byte("x"))
		}, "idempotency key 6b2f09"},
		{"an idempotency key has no end", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			remove(t, s, appendClaimExpiry(nil, &claim{Key: checkedKey}))
		}, `is missing in the index "e/" (expiry entries)`},
		{"an end belongs to no idempotency key", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			remove(t, s, appendClaimKey(nil, &checkedKey.Hash))
		}, "belongs to nothing"},
		{"an idempotency key has two ends", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			k := checkedKey
			k.Expires = k.Expires.Add(1)
			put(t, s, appendClaimExpiry(nil, &claim{Key: k}), nil)
		}, "belongs to nothing"},
		{"an end is noise", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			put(t, s, append(appendExpiry(nil, checkedKey.Expires), 'z'), nil)
		}, "belongs to nothing"},
		{"a result is noise", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			put(t, s, appendResultKey(nil, id), []byte{0xc1})
		}, "cannot be understood"},
		{"a result is missing", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			remove(t, s, firstKey(t, s, resultPrefix))
		}, "belongs to no result"},
		{"a result has no end", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			key := firstKey(t, s, resultPrefix)
			remove(t, s, appendResultExpiry(nil, checkedKey.Expires, invocation.ID(key[2:])))
		}, `is missing in the index "e/" (expiry entries)`},
		{"the end of a result tells another size", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			key := firstKey(t, s, resultPrefix)
			put(t, s, appendResultExpiry(nil, checkedKey.Expires, invocation.ID(key[2:])), (&ending{size: 1}).value())
		}, "does not agree with what it belongs to"},
		{"a result has lost its call id", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			remove(t, s, firstKey(t, s, resultCallPrefix))
		}, `is missing in the index "q/" (call ids of results)`},
		{"a call id points to no result", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			put(t, s, appendResultCall(nil, [hashLen]byte{1}, id), nil)
		}, "belongs to nothing"},
		{"a result has lost its body", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			remove(t, s, firstKey(t, s, bodyPrefix))
		}, "has a body of 0 bytes, it was kept with 4"},
		{"the body of a result is cut off", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			put(t, s, firstKey(t, s, bodyPrefix), []byte("x"))
		}, "has a body of 1 bytes, it was kept with 4"},
		{"a body belongs to no result", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			put(t, s, appendBodyKey(nil, id), []byte("x"))
		}, "belongs to no result"},
		{"the entry of a letter tells another status", func(t *testing.T, s *Store, _ *invocation.Invocation) {
			key := firstKey(t, s, deadPrefix)
			_, deadID := parseTail(key)
			dead, err := s.Get(t.Context(), deadID)
			if err != nil {
				t.Fatal(err)
			}
			l := record.LetterOf(dead)
			l.Status = 418
			put(t, s, key, record.EncodeLetter(l))
		}, "or does not agree with what it belongs to"},
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
			inv, err := p.do(inlineBytes+1, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.do(70, func(i *invocation.Invocation) { i.Since = p.time().Add(time.Hour) }); err != nil {
				t.Fatal(err)
			}
			p.letter(t)
			p.Hold(2, inv.ID)
			p.set(checkedKey.Expires.Add(-time.Hour)) // so that the result of ended lives as long
			p.ended(t)
			if err := errors.Join(p.Claim(t.Context(), checkedKey, inv.ID, "c"), p.PutNote(t.Context(), store.Note{Name: "n", Value: []byte("x")})); err != nil {
				t.Fatal(err)
			}
			st, mem2 := p.Stats(), clone(t, mem)
			tt.damage(t, p.Store, inv)
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			var steps []string
			r, err := check(t.Context(), Options{Dir: "data", FS: mem}, func(step string) { steps = append(steps, step) })
			switch {
			case err != nil:
				t.Fatalf("%v, steps %v, want no error", err, steps)
			case len(steps) == 0:
				t.Fatalf("%v, steps %v, want at least 1 steps", err, steps)
			}
			if tt.want != "" {
				if len(r.Findings) == 0 || !strings.Contains(strings.Join(r.Findings, "\n"), tt.want) || r.OK() {
					t.Errorf("found %q, want %q", r.Findings, tt.want)
				}
				return
			}
			switch {
			case !r.OK():
				t.Errorf("report %+v, counts %+v, want OK", r, st)
			case r.Ready != st.Ready:
				t.Errorf("report %+v, counts %+v, want ready %v", r, st, st.Ready)
			case r.Delayed != st.Delayed:
				t.Errorf("report %+v, counts %+v, want delayed %v", r, st, st.Delayed)
			case r.Dead != st.Dead:
				t.Errorf("report %+v, counts %+v, want dead %v", r, st, st.Dead)
			case r.Bytes != st.Bytes:
				t.Errorf("report %+v, counts %+v, want bytes %v", r, st, st.Bytes)
			case r.Invocations != st.Ready+st.Delayed+st.Dead:
				t.Errorf("report %+v, counts %+v, want invocations %v", r, st, st.Ready+st.Delayed+st.Dead)
			case r.Marks == 0:
				t.Errorf("report %+v, counts %+v, want marks not 0", r, st)
			case r.InFlight != 0:
				t.Errorf("report %+v, counts %+v, want InFlight 0", r, st)
			case r.Notes != 1:
				t.Errorf("report %+v, counts %+v, want notes 1", r, st)
			case r.Keys != st.Keys:
				t.Errorf("report %+v, counts %+v, want keys %v", r, st, st.Keys)
			case r.Keys != 1:
				t.Errorf("report %+v, counts %+v, want keys 1", r, st)
			case r.Results != st.Results:
				t.Errorf("report %+v, counts %+v, want results %v", r, st, st.Results)
			case r.Results != 1:
				t.Errorf("report %+v, counts %+v, want results 1", r, st)
			case r.ResultBytes != st.ResultBytes:
				t.Errorf("report %+v, counts %+v, want ResultBytes %v", r, st, st.ResultBytes)
			}
			switch r, err := check(t.Context(), Options{Dir: "data", FS: mem2}, nil); {
			case err != nil:
				t.Errorf("while it was in flight: %+v, %v, want no error", r, err)
			case r.InFlight != 3:
				t.Errorf("while it was in flight: %+v, %v, want InFlight 3", r, err)
			case !r.OK():
				t.Errorf("while it was in flight: %+v, %v, want OK", r, err)
			}
		})
	}
}

// checkedKey is an idempotency key that the store under check has.
var checkedKey = store.Key{Hash: [32]byte{7}, Expires: time.Unix(4_000_000_000, 0)}

// firstKey returns the first key with a prefix.
func firstKey(t *testing.T, s *Store, prefix []byte) (found []byte) {
	t.Helper()
	err := s.each(prefix, after(prefix), func(key, _ []byte) (bool, error) {
		found = append(found, key...)
		return false, nil
	})
	switch {
	case err != nil:
		t.Fatalf("nothing begins with %q: %v, want no error", prefix, err)
	case found == nil:
		t.Fatalf("nothing begins with %q: %v: got found %v, want set", prefix, err, found)
	}
	return found
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
	switch _, err := Check(t.Context(), dir, nil); {
	case err == nil:
		t.Errorf("an empty folder gives %v, want an error", err)
	case !strings.Contains(err.Error(), "there is no store in it"):
		t.Errorf(`an empty folder gives %v, want "there is no store in it" in Error`, err)
	}
	switch _, err := Check(t.Context(), filepath.Join(dir, "nowhere"), nil); {
	case err == nil:
		t.Errorf("a missing folder gives %v, want an error", err)
	case !strings.Contains(err.Error(), "there is no store in it"):
		t.Errorf(`a missing folder gives %v, want "there is no store in it" in Error`, err)
	}
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	switch _, err := Check(t.Context(), dir, nil); {
	case !errors.Is(err, store.ErrLocked):
		t.Errorf("a folder in use gives %v, want %v", err, store.ErrLocked)
	case !strings.Contains(err.Error(), "stop the worker first"):
		t.Errorf(`a folder in use gives %v, want "stop the worker first" in Error`, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		switch r, err := Check(t.Context(), dir, nil); {
		case err != nil:
			t.Errorf("an empty store gives %+v, %v, want no error", r, err)
		case !r.OK():
			t.Errorf("an empty store gives %+v, %v, want OK", r, err)
		}
	}
}

func TestCheckNamesTheDamagedTable(t *testing.T) {
	t.Parallel()
	dir, _ := filled(t, 10)
	damageBytes(t, dir, noise(4, 20_000)[8_000:8_100])
	before := snapshot(t, dir)
	r, err := Check(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case r.OK():
		t.Errorf("report %+v, want not OK", r)
	case len(r.Findings) != 3:
		t.Errorf("report %+v, want 3 findings", r)
	case r.Tables < 2:
		t.Errorf("report %+v, want tables at least 2", r)
	case r.Invocations != 10:
		t.Errorf("report %+v, want invocations 10", r)
	}
	if !regexp.MustCompile(`^table [0-9]{6}\.sst is damaged: .*checksum mismatch`).MatchString(r.Findings[0]) {
		t.Errorf("the first finding is %q", r.Findings[0])
	}
	if after := snapshot(t, dir); after != before {
		t.Errorf("the check has changed the folder from %q to %q, want %v", before, after, before)
	}
}

// snapshot is the names of all files and when they were written.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, name := range files(t, dir, "*") {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(info.Name() + " " + info.ModTime().String() + "\n")
	}
	return b.String()
}
