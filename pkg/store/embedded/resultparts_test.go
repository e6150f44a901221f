package embedded

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// finishLarge settles inv, which is ready, with a result that has a body of size bytes.
func (p *player) finishLarge(t *testing.T, inv *invocation.Invocation, outcome invocation.Outcome, size int, expires time.Time) []byte {
	t.Helper()
	body := noise(uint64(size), size) // #nosec G115 -- a length
	err := p.Settle(t.Context(), store.Settlement{
		At: store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}, Outcome: outcome, Inv: inv,
		Result: &store.Result{Outcome: outcome, Status: 200, Body: body, At: p.time(), Expires: expires},
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// wantBody reads the body of a result.
func wantBody(t *testing.T, s *Store, id invocation.ID, want []byte) {
	t.Helper()
	r, err := s.Result(t.Context(), id, true)
	if err != nil || !bytes.Equal(r.Body, want) {
		t.Errorf("result: got %+v, %v, want a body of %d bytes", r, err, len(want))
	}
}

// bodyKeys counts the keys that have the body of a result, and those of parts that belong to none.
func bodyKeys(t *testing.T, s *Store, id invocation.ID) (n int) {
	t.Helper()
	for _, prefix := range [][]byte{appendBodyKey(nil, id), appendUnfinishedKey(nil, appendBodyKey(nil, id))} {
		err := s.each(prefix, after(prefix), func(_, v []byte) (bool, error) {
			if n++; len(v) > splitBytes {
				t.Errorf("a key has %d bytes, want %d at most", len(v), splitBytes)
			}
			return true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// wantSound checks a store that is closed.
func wantSound(t *testing.T, mem *vfs.MemFS) {
	t.Helper()
	if r, err := check(t.Context(), Options{Dir: "data", FS: mem}, nil); err != nil || len(r.Findings) > 0 {
		t.Errorf("the check found %q, %v, want nothing wrong", r.Findings, err)
	}
}

func TestALargeResultIsStoredInParts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ size, keys int }{
		"the largest whole":    {splitBytes, 1},
		"one byte more":        {splitBytes + 1, 5},
		"a multiple of a part": {8 * partBytes, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewMem()
			p := openPlayer(t, Options{FS: mem})
			inv, err := p.do(200, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := p.finishLarge(t, inv, invocation.OutcomeDone, tt.size, p.time().Add(time.Hour))
			wantBody(t, p.Store, inv.ID, want)
			if n := bodyKeys(t, p.Store, inv.ID); n != tt.keys {
				t.Errorf("got %d keys, want %d", n, tt.keys)
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			wantSound(t, mem)
			if r, err := repair(t.Context(), Options{Dir: "data", FS: mem}, Options{Dir: "to", FS: mem}, nil); err != nil || !r.Whole() || r.Results != 1 {
				t.Errorf("repaired: got %+v, %v, want one result and nothing lost", r, err)
			}
			for _, dir := range []string{"data", "to"} {
				s, err := Open(Options{Dir: dir, FS: mem, Now: p.time})
				if err != nil {
					t.Fatal(err)
				}
				wantBody(t, s, inv.ID, want)
				p.pass(2 * time.Hour)
				if n, err := s.Sweep(t.Context()); n == 0 || err != nil {
					t.Errorf("%s: swept %d, %v, want the result", dir, n, err)
				}
				if n := bodyKeys(t, s, inv.ID); n != 0 {
					t.Errorf("%s: got %d keys after the expiry, want none", dir, n)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				p.pass(-2 * time.Hour)
			}
		})
	}
}

// TestALargeResultReplacesAnother replays, also when the next result expires when the previous one does.
func TestALargeResultReplacesAnother(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]time.Duration{"that expires before it": time.Second, "that expires with it": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewMem()
			p := openPlayer(t, Options{FS: mem})
			inv, err := p.do(200, nil)
			if err != nil {
				t.Fatal(err)
			}
			expires := p.time().Add(time.Hour)
			p.finishLarge(t, inv, invocation.OutcomeDead, splitBytes+9, expires)
			if err := p.Replay(t.Context(), inv.ID); err != nil {
				t.Fatal(err)
			}
			if inv, err = p.Get(t.Context(), inv.ID); err != nil {
				t.Fatal(err)
			}
			want := p.finishLarge(t, inv, invocation.OutcomeDone, splitBytes+1, expires.Add(later))
			wantBody(t, p.Store, inv.ID, want)
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			wantSound(t, mem)
		})
	}
}

func TestPartsOfARefusedResultAreRemoved(t *testing.T) {
	t.Parallel()
	p := openPlayer(t, Options{FS: vfs.NewMem()})
	defer func() { _ = p.Close() }()
	inv, err := p.do(200, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = p.Settle(t.Context(), store.Settlement{
		At: store.Ready{Lane: inv.Lane, Since: inv.Since.Add(1), ID: inv.ID}, Outcome: invocation.OutcomeDone, Inv: inv,
		Result: &store.Result{Outcome: invocation.OutcomeDone, Body: noise(1, splitBytes+1), At: p.time(), Expires: p.time().Add(time.Hour)},
	})
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want %v", err, store.ErrNotFound)
	}
	if n := bodyKeys(t, p.Store, inv.ID); n != 0 {
		t.Errorf("got %d keys of the body, want none", n)
	}
}

// TestACrashLeavesNoPartsOfAResult has a store as a kill between the parts and their settlement leaves it.
func TestACrashLeavesNoPartsOfAResult(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	p := openPlayer(t, Options{FS: mem})
	inv, err := p.do(200, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := bodyPartKey(p.time().Add(time.Hour), inv.ID)
	if err := errors.Join(p.writeParts(t.Context(), first, noise(1, splitBytes+1)), p.Close()); err != nil {
		t.Fatal(err)
	}
	wantSound(t, mem)
	if r, err := repair(t.Context(), Options{Dir: "data", FS: mem}, Options{Dir: "to", FS: mem}, nil); err != nil || !r.Whole() {
		t.Errorf("repaired: got %+v, %v, want nothing lost", r, err)
	}
	for _, dir := range []string{"data", "to"} {
		s, err := Open(Options{Dir: dir, FS: mem, Slots: 4})
		if err != nil {
			t.Fatal(err)
		}
		if n := bodyKeys(t, s, inv.ID); n != 0 {
			t.Errorf("%s: got %d keys of it after the start, want none", dir, n)
		}
		if _, raw, err := s.Load(t.Context(), inv.ID); err != nil || len(raw) == 0 {
			t.Errorf("%s: the invocation: got %d bytes, %v, want its QueueRequest", dir, len(raw), err)
		}
		_ = s.Close()
	}
}

func TestAResultThatLacksAPartIsFound(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	p := openPlayer(t, Options{FS: mem})
	inv, err := p.do(200, nil)
	if err != nil {
		t.Fatal(err)
	}
	expires := p.time().Add(time.Hour)
	p.finishLarge(t, inv, invocation.OutcomeDone, splitBytes+1, expires)
	remove(t, p.Store, appendPartKey(nil, bodyPartKey(expires, inv.ID), 2))
	if _, err := p.Result(t.Context(), inv.ID, true); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Result: got %v, want that the body is missing", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := check(t.Context(), Options{Dir: "data", FS: mem}, nil); err != nil || len(r.Findings) != 1 {
		t.Errorf("the check found %q, %v, want that the body is too short", r.Findings, err)
	}
	if r, err := repair(t.Context(), Options{Dir: "data", FS: mem}, Options{Dir: "to", FS: mem}, nil); err != nil || r.LostResults != 1 {
		t.Errorf("repaired: got %+v, %v, want one lost result", r, err)
	}
}
