package embedded

// The QueueRequests of large callbacks, which are stored in parts.

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// openPlayer opens a store with memtables of the usual size.
func openPlayer(t *testing.T, o Options) *player {
	t.Helper()
	p := newPlayer(nil)
	o.Dir, o.Slots, o.Now = "data", 4, p.time
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	p.Store = s
	return p
}

// settleLarge settles an invocation with a callback of size bytes, and returns what is stored of that.
func (p *player) settleLarge(t *testing.T, size int) (*invocation.Invocation, []byte) {
	t.Helper()
	inv, err := p.do(200, nil)
	if err != nil {
		t.Fatal(err)
	}
	cb, raw := p.make(size)
	cb.Kind, cb.Origin, cb.CallID = invocation.KindCallback, inv.ID, "large"
	at := store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}
	err = p.Settle(t.Context(), store.Settlement{At: at, Outcome: invocation.OutcomeDone, Inv: inv, Callback: &store.Accept{Inv: cb, Raw: raw}})
	if err != nil {
		t.Fatal(err)
	}
	return cb, raw
}

// keysWith counts the keys that contain an id.
func keysWith(t *testing.T, s *Store, id invocation.ID) (n int) {
	t.Helper()
	err := s.each(nil, nil, func(key, _ []byte) (bool, error) {
		if bytes.Contains(key, id[:]) {
			n++
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestALargeCallbackIsStoredInParts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ size, parts int }{
		"the largest whole":    {splitBytes, 1},
		"one byte more":        {splitBytes + 1, 5},
		"a multiple of a part": {8 * partBytes, 8},
		"as callbacks are":     {11<<20 + 7, 45},
	} {
		if testing.Short() && tt.size > 4<<20 {
			continue // a minute of the race detector's for the same code
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewMem()
			p := openPlayer(t, Options{FS: mem})
			cb, raw := p.settleLarge(t, tt.size)
			found := 0
			prefix := appendBytesKey(nil, cb.ID)
			err := p.each(prefix, after(prefix), func(_, value []byte) (bool, error) {
				if found++; tt.parts > 1 && len(value) > partBytes {
					t.Errorf("a part has %d bytes, want %d at most", len(value), partBytes)
				}
				return true, nil
			})
			if err != nil || found != tt.parts {
				t.Errorf("got %d parts, %v, want %d", found, err, tt.parts)
			}
			p.loads(t, cb, raw)
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			if r, err := check(t.Context(), Options{Dir: "data", FS: mem}, nil); err != nil || len(r.Findings) > 0 || r.Bytes != int64(tt.size) {
				t.Errorf("the check found %d bytes, %q, %v, want %d and nothing wrong", r.Bytes, r.Findings, err, tt.size)
			}
			p.isRepaired(t, mem, cb, raw)
			if p.Store, err = Open(Options{Dir: "data", FS: mem, Slots: 4}); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = p.Close() }()
			p.loads(t, cb, raw)
			at := store.Ready{Lane: cb.Lane, Since: cb.Since, ID: cb.ID}
			if err := p.Settle(t.Context(), store.Settlement{At: at, Outcome: invocation.OutcomeDone, Inv: cb}); err != nil {
				t.Fatal(err)
			}
			if n := keysWith(t, p.Store, cb.ID); n != 0 {
				t.Errorf("got %d keys of it at its end, want none", n)
			}
		})
	}
}

// loads reads a callback in every way.
func (p *player) loads(t *testing.T, cb *invocation.Invocation, raw []byte) {
	t.Helper()
	_, got, err := p.Load(t.Context(), cb.ID)
	if err != nil || !bytes.Equal(got, raw) {
		t.Errorf("Load: got %d other bytes, %v, want all %d", len(got), err, len(raw))
	}
	l, err := p.LoadReady(t.Context(), store.Ready{Lane: cb.Lane, Since: cb.Since, ID: cb.ID})
	if err != nil || !bytes.Equal(l.Raw, raw) {
		t.Errorf("LoadReady: got %d other bytes, %v, want all %d", len(l.Raw), err, len(raw))
	}
	err = p.lookBody(cb.ID, func(got []byte) error {
		if !bytes.Equal(got, raw) {
			t.Errorf("for a filter: got %d other bytes, want all %d", len(got), len(raw))
		}
		return nil
	})
	if err != nil {
		t.Errorf("for a filter: got %v, want no error", err)
	}
}

// isRepaired copies the store by a repair, and reads the callback from the copy.
func (p *player) isRepaired(t *testing.T, mem *vfs.MemFS, cb *invocation.Invocation, raw []byte) {
	t.Helper()
	r, err := repair(t.Context(), Options{Dir: "data", FS: mem}, Options{Dir: "to", FS: mem}, nil)
	if err != nil || !r.Whole() || r.Invocations != 1 {
		t.Fatalf("repaired: got %+v, %v, want one invocation and nothing lost", r, err)
	}
	s, err := Open(Options{Dir: "to", FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, got, err := s.Load(t.Context(), cb.ID); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("after the repair: got %d other bytes, %v, want all %d", len(got), err, len(raw))
	}
}

func TestACallbackThatLacksAPartIsFound(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	p := openPlayer(t, Options{FS: mem})
	cb, _ := p.settleLarge(t, splitBytes+1)
	remove(t, p.Store, appendPartKey(nil, appendBytesKey(nil, cb.ID), 2))
	if _, _, err := p.Load(t.Context(), cb.ID); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("Load: got %v, want that it is missing", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := check(t.Context(), Options{Dir: "data", FS: mem}, nil)
	if err != nil || len(r.Findings) != 1 || !strings.Contains(r.Findings[0], "it came with 1048577") {
		t.Errorf("the check found %q, %v, want that its QueueRequest is too short", r.Findings, err)
	}
}

func TestPartsOfARefusedSettlementAreRemoved(t *testing.T) {
	t.Parallel()
	p := openPlayer(t, Options{FS: vfs.NewMem()})
	defer func() { _ = p.Close() }()
	inv, err := p.do(200, nil)
	if err != nil {
		t.Fatal(err)
	}
	cb, raw := p.make(splitBytes + 1)
	st := store.Settlement{
		At: store.Ready{Lane: inv.Lane, Since: inv.Since.Add(1), ID: inv.ID}, Outcome: invocation.OutcomeDone, Inv: inv,
		Callback: &store.Accept{Inv: cb, Raw: raw},
	}
	if err := p.Settle(t.Context(), st); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want %v", err, store.ErrNotFound)
	}
	if n := keysWith(t, p.Store, cb.ID); n != 0 {
		t.Errorf("got %d keys of the callback, want none", n)
	}
}

// TestACrashLeavesNoPartsOfACallback has a store as a kill between the parts and their settlement leaves it.
func TestACrashLeavesNoPartsOfACallback(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	p := openPlayer(t, Options{FS: mem})
	cb, raw := p.make(splitBytes + 1)
	if err := errors.Join(p.writeParts(t.Context(), appendBytesKey(nil, cb.ID), raw), p.Close()); err != nil {
		t.Fatal(err)
	}
	wantSound(t, mem)
	if r, err := repair(t.Context(), Options{Dir: "data", FS: mem}, Options{Dir: "to", FS: mem}, nil); err != nil || !r.Whole() {
		t.Errorf("repaired: got %+v, %v, want nothing lost", r, err)
	}
	for _, dir := range []string{"data", "to"} {
		s, err := Open(Options{Dir: dir, FS: mem})
		if err != nil {
			t.Fatal(err)
		}
		if n := keysWith(t, s, cb.ID); n != 0 {
			t.Errorf("%s: got %d keys of it after the start, want none", dir, n)
		}
		_ = s.Close()
	}
}

// TestAPowerCutTearsNoLargeCallback cuts the power before every write of two settlements.
func TestAPowerCutTearsNoLargeCallback(t *testing.T) {
	t.Parallel()
	every := everyWithShort(24)
	for name, percent := range map[string]int{"takes all that was not synced": 0, "takes half of it": 50} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()                                                             // #nosec G404 -- a test's
			c := &cutter{percent: percent, rng: rand.New(rand.NewPCG(seed, 0)), every: every} // #nosec G404 -- likewise
			p := newPlayer(nil)
			c.ledger, c.mem, p.callback = p.ledger, vfs.NewCrashableMem(), splitBytes+1
			c.opts = Options{Dir: "data", Slots: 4, Now: p.time}
			o := c.opts
			o.FS, o.patient = errorfs.Wrap(c.mem, c), true
			s, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			p.Store = s
			for range 2 {
				inv, err := p.do(200, nil)
				if err != nil {
					t.Fatal(err)
				}
				p.pass(time.Second)
				if err := p.settle(inv, invocation.OutcomeDone, nil, true); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(s.db.Flush(), s.db.Compact(context.Background(), []byte("a"), []byte("z"), false), s.Close()); err != nil {
				t.Fatal(err)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.cut("after the end")
			if want := 40 / every; c.cuts < want {
				t.Errorf("got %d cuts, want at least %d", c.cuts, want)
			}
			for _, err := range c.found[:min(5, len(c.found))] {
				t.Errorf("seed %d, %v", seed, err)
			}
		})
	}
}
