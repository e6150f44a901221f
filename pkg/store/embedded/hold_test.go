package embedded

// The in-flight markers. A kill is a copy of the file system as the
// running process sees it: it spares what was written and not synced.

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// victim is a store that is killed again and again.
type victim struct {
	*player
	t     *testing.T
	mem   *vfs.MemFS
	slots int
}

func newVictim(t *testing.T, slots int) *victim {
	t.Helper()
	v := &victim{t: t, mem: vfs.NewCrashableMem(), slots: slots, player: newPlayer(nil)}
	v.start()
	return v
}

func (v *victim) start() {
	v.t.Helper()
	s, err := Open(Options{Dir: "data", Slots: v.slots, FS: v.mem, Now: v.time})
	if err != nil {
		v.t.Fatal(err)
	}
	v.Store = s
}

// kill leaves the store as it stands and opens a copy of its files with a
// number of slots.
func (v *victim) kill(slots int) store.Recovered {
	v.t.Helper()
	left := v.Store
	v.t.Cleanup(func() { _ = left.Close() })
	v.slots = slots
	v.mem = v.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))}) // #nosec G115 -- all of it survives
	v.start()
	return v.Recovered()
}

func (v *victim) accepted() *invocation.Invocation {
	v.t.Helper()
	inv, err := v.do(10, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return inv
}

func (v *victim) wantCrashes(inv *invocation.Invocation, want int) {
	v.t.Helper()
	got, err := v.Get(context.Background(), inv.ID)
	if err != nil || got.Crashes != want {
		v.t.Fatalf("crashes of %s: %+v, %v; want %d", inv.CallID, got, err, want)
	}
}

func TestWhatIsInHandAtACrashIsCountedAndReadyAgain(t *testing.T) {
	t.Parallel()
	v := newVictim(t, 4)
	held, released, never := v.accepted(), v.accepted(), v.accepted()
	v.Hold(0, held.ID)
	v.Hold(3, released.ID)
	v.Release(3)
	switch r := v.kill(4); {
	case r.InFlight != 1:
		t.Errorf("recovered %+v, want InFlight 1", r)
	case len(r.Poisoned) != 0:
		t.Errorf("recovered %+v, want 0 poisoned", r)
	}
	v.wantCrashes(held, 1)
	v.wantCrashes(released, 0)
	v.wantCrashes(never, 0)
	switch st := v.Stats(); {
	case st.Ready != 3:
		t.Errorf("counts %+v, want ready 3", st)
	case st.Difference() != 0:
		t.Errorf("counts %+v, want difference 0", st)
	}
	if r := v.kill(4); r.InFlight != 0 {
		t.Errorf("it was not put in flight again, but recovered %+v, want InFlight 0", r)
	}
	v.wantCrashes(held, 1)
}

func TestWhatCrashesTheWorkerEachTimeIsBuriedWithoutACall(t *testing.T) {
	t.Parallel()
	v := newVictim(t, 2)
	inv, innocent := v.accepted(), v.accepted()
	for n := 1; n < store.PoisonLimit; n++ {
		v.Hold(1, inv.ID)
		switch r := v.kill(2); {
		case r.InFlight != 1:
			t.Fatalf("crash %d: recovered %+v, want InFlight 1", n, r)
		case len(r.Poisoned) != 0:
			t.Fatalf("crash %d: recovered %+v, want 0 poisoned", n, r)
		}
		v.wantCrashes(inv, n)
	}
	v.Hold(0, innocent.ID)
	v.Hold(1, inv.ID)
	r := v.kill(2)
	switch {
	case r.InFlight != 2:
		t.Fatalf("recovered %+v, want InFlight 2", r)
	case len(r.Poisoned) != 1:
		t.Fatalf("recovered %+v, want 1 poisoned", r)
	case r.Poisoned[0].ID != inv.ID:
		t.Fatalf("recovered %+v, want ID %v", r, inv.ID)
	case r.Poisoned[0].Reason != invocation.Poison:
		t.Fatalf("recovered %+v, want reason %v", r, invocation.Poison)
	}
	dead, err := v.Letters(t.Context(), store.Filter{}, "", 10)
	page := dead.Letters
	switch {
	case err != nil:
		t.Errorf("dead set %+v, %v, want no error", page, err)
	case len(page) != 1:
		t.Errorf("dead set %+v, %v, want 1 page", page, err)
	case page[0].Reason != invocation.Poison:
		t.Errorf("dead set %+v, %v, want reason %v", page, err, invocation.Poison)
	case page[0].Crashes != store.PoisonLimit:
		t.Errorf("dead set %+v, %v, want crashes %v", page, err, store.PoisonLimit)
	case page[0].Detail == "":
		t.Errorf("dead set %+v, %v, want detail not empty", page, err)
	}
	v.wantCrashes(innocent, 1)
	switch ready, err := v.Take(t.Context(), inv.Lane, store.Ready{}, 10); {
	case err != nil:
		t.Errorf("it is still ready: %v, %v, want no error", ready, err)
	case len(ready) != 0:
		t.Errorf("it is still ready: %v, %v, want 0 ready", ready, err)
	}
	switch st := v.Stats(); {
	case st.Ready != 1:
		t.Errorf("counts %+v, want ready 1", st)
	case st.Dead != 1:
		t.Errorf("counts %+v, want dead 1", st)
	case st.Difference() != 0:
		t.Errorf("counts %+v, want difference 0", st)
	}
	if err := v.Replay(t.Context(), inv.ID); err != nil {
		t.Fatal(err)
	}
	v.wantCrashes(inv, 0)
	if r := v.kill(2); r.InFlight != 0 {
		t.Errorf("recovered %+v after the burial, want InFlight 0", r)
	}
}

func TestWhatWasSettledBeforeTheCrashIsNotCounted(t *testing.T) {
	t.Parallel()
	v := newVictim(t, 8)
	for n, outcome := range []invocation.Outcome{invocation.OutcomeDone, invocation.OutcomeDropped, invocation.OutcomeRetry, invocation.OutcomeDead} {
		inv := v.accepted()
		v.Hold(n, inv.ID)
		err := v.settle(inv, outcome, func(i *invocation.Invocation) {
			i.Since, i.DiedAt = v.time().Add(time.Hour), v.time()
		}, false)
		if err != nil {
			t.Fatal(err)
		}
	}
	v.Hold(5, invocation.NewID(v.time())) // never was
	switch r := v.kill(8); {
	case r.InFlight != 0:
		t.Errorf("recovered %+v, want InFlight 0", r)
	case len(r.Poisoned) != 0:
		t.Errorf("recovered %+v, want 0 poisoned", r)
	}
}

func TestACleanCloseIsNoCrash(t *testing.T) {
	t.Parallel()
	v := newVictim(t, 4)
	inv := v.accepted()
	v.Hold(2, inv.ID) // aborted by the drain, and never released
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	v.Hold(1, inv.ID)
	v.Release(1)
	v.start()
	if r := v.Recovered(); r.InFlight != 0 {
		t.Errorf("recovered %+v, want InFlight 0", r)
	}
	v.wantCrashes(inv, 0)
}

func TestTheNumberOfSlotsMayChange(t *testing.T) {
	t.Parallel()
	v := newVictim(t, 8)
	last, first := v.accepted(), v.accepted()
	v.Hold(7, last.ID)
	v.Hold(0, first.ID)
	if r := v.kill(2); r.InFlight != 2 {
		t.Errorf("with fewer slots recovered %+v, want InFlight 2", r)
	}
	if r := v.kill(2); r.InFlight != 0 {
		t.Errorf("marks of slots that are no more were counted again: %+v, want InFlight 0", r)
	}
	v.wantCrashes(last, 1)
	v.Hold(1, first.ID)
	if r := v.kill(50); r.InFlight != 1 {
		t.Errorf("with more slots recovered %+v, want InFlight 1", r)
	}
	v.Hold(49, last.ID)
	if r := v.kill(50); r.InFlight != 1 {
		t.Errorf("the last of more slots: recovered %+v, want InFlight 1", r)
	}
	v.wantCrashes(last, 2)
	v.wantCrashes(first, 2)
}

func TestMarksThatAreNotWholeCountNothing(t *testing.T) {
	t.Parallel()
	v := newVictim(t, 4)
	inv, whole := v.accepted(), v.accepted()
	v.Hold(0, inv.ID)
	v.Hold(1, inv.ID)
	v.Hold(2, whole.ID)
	v.Hold(3, whole.ID) // twice, which is one crash
	for at, b := range map[int64]byte{3: 0xff, markLen + idLen + 1: 0xee} {
		if _, err := v.marks.file.WriteAt([]byte{b}, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.marks.file.WriteAt([]byte{1, 2, 3}, 4*markLen); err != nil { // begins a fifth record
		t.Fatal(err)
	}
	if r := v.kill(4); r.InFlight != 1 {
		t.Errorf("recovered %+v, want InFlight 1", r)
	}
	v.wantCrashes(inv, 0)
	v.wantCrashes(whole, 1)
}

func TestMarksThatCannotBeWrittenHoldUpNoCall(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
		toggle := &errorfs.Toggle{Injector: broken{marksFile, []errorfs.OpKind{errorfs.OpFileWriteAt}, cause}}
		p := playerOn(t, errorfs.Wrap(vfs.NewCrashableMem(), toggle))
		inv, err := p.do(10, nil)
		if err != nil {
			t.Fatal(err)
		}
		toggle.On()
		p.Hold(0, inv.ID)
		p.Release(0)
		if err := p.Health(); !errors.Is(err, cause) {
			t.Errorf("health is %v, want %v", err, cause)
		}
		if err := errors.Join(p.Err(), p.settle(inv, invocation.OutcomeDone, nil, false)); err != nil {
			t.Errorf("the call: %v, want no error", err)
		}
		_ = p.Close()
	}
}

func TestInMemoryNothingIsMarked(t *testing.T) {
	t.Parallel()
	s, err := Open(Options{Slots: 2})
	if err != nil {
		t.Fatal(err)
	}
	s.Hold(0, invocation.NewID(time.Now()))
	s.Release(0)
	if r := s.Recovered(); r.InFlight != 0 {
		t.Errorf("recovered %+v, want InFlight 0", r)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// marked reads the in-flight file of a store that is open.
func marked(t *testing.T, dir string) []invocation.ID {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, storeFolder, marksFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ids, _, err := readMarks(f)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestMarkersOnDiskAreSeenByTheNextProcess(t *testing.T) {
	t.Parallel()
	dir, id := t.TempDir(), invocation.NewID(time.Now())
	s, err := Open(Options{Dir: dir, Slots: 64})
	if err != nil {
		t.Fatal(err)
	}
	s.Hold(63, id)
	if got, want := marked(t, dir), []invocation.ID{id}; !slices.Equal(got, want) {
		t.Errorf("marked: got %v, want %v", got, want)
	}
	s.Release(63)
	if got := marked(t, dir); len(got) != 0 {
		t.Errorf("marked after the release: got %v, want none", got)
	}
	s.Hold(0, id)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := marked(t, dir); len(got) != 0 {
		t.Errorf("marked after a clean end: got %v, want none", got)
	}
}

func TestMarkerThatCannotBeMappedIsWritten(t *testing.T) {
	t.Parallel()
	dir, id := t.TempDir(), invocation.NewID(time.Now())
	s, err := Open(Options{Dir: dir, Slots: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// A page that the file system cannot provide is a fault, as behind the end of a file.
	if err := os.Truncate(filepath.Join(dir, storeFolder, marksFile), 0); err != nil {
		t.Fatal(err)
	}
	s.Hold(1, id)
	if got, want := marked(t, dir), []invocation.ID{id}; !slices.Equal(got, want) {
		t.Errorf("marked: got %v, want %v", got, want)
	}
}

// BenchmarkHold marks and clears one slot of a store on disk.
func BenchmarkHold(b *testing.B) {
	s, err := Open(Options{Dir: b.TempDir(), Slots: 64})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	id := invocation.NewID(time.Now())
	for b.Loop() {
		s.Hold(7, id)
		s.Release(7)
	}
}
