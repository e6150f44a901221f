package jobs

// Kills and power cuts: a job continues where it was, neither repeats a dead letter nor
// forgets one.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
)

// world is a disk that outlives the processes on it.
type world struct {
	t    testing.TB
	disk *vfs.MemFS
	fs   func(*vfs.MemFS) vfs.FS // what a process sees of it; nil for all
}

func newWorld(t testing.TB) *world { return &world{t: t, disk: vfs.NewCrashableMem()} }

// open starts a process on the disk as it is.
func (w *world) open(edits ...func(*rig)) *rig {
	w.t.Helper()
	var fs vfs.FS = w.disk
	if w.fs != nil {
		fs = w.fs(w.disk)
	}
	return newRig(w.t, embedded.Options{Dir: "data", FS: fs}, edits...)
}

// onlyReady is the one letter that is pending.
func (w *world) onlyReady(r *rig) invocation.ID {
	w.t.Helper()
	all, err := r.store.Take(context.Background(), lane("fn"), store.Ready{}, 2)
	if err != nil || len(all) != 1 {
		w.t.Fatalf("%d are ready, %v", len(all), err)
	}
	return all[0].ID
}

// replaysOf is how often each letter was replayed, as its record says.
func replaysOf(t testing.TB, s *embedded.Store, ids []invocation.ID) (once int) {
	t.Helper()
	for _, id := range ids {
		inv, err := s.Get(t.Context(), id)
		if err != nil {
			t.Fatalf("a dead letter is gone: %v, want nil", err)
		}
		if inv.Replays > 1 {
			t.Fatalf("a dead letter was replayed twice: %+v, want Replays at most 1", inv)
		}
		once += inv.Replays
	}
	return once
}

// TestPowerCutsNeitherRepeatNorForget cuts the power before a random write, again
// and again, until the job is done.
func TestPowerCutsNeitherRepeatNorForget(t *testing.T) {
	t.Parallel()
	for n := range 20 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble(t, func(t *testing.T) { cutAgainAndAgain(t, rand.New(rand.NewPCG(seed, 0)), seed) })
		})
	}
}

// cutter makes a copy of the disk as a power cut would leave it, before its n-th write.
type cutter struct {
	mu   sync.Mutex
	left int
	cut  func()
}

func (c *cutter) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 {
		c.cut()
	}
	return nil
}

func (*cutter) String() string { return "cutter" }

func cutAgainAndAgain(t *testing.T, rng *rand.Rand, seed uint64) {
	w := newWorld(t)
	r := w.open()
	ids := r.bury("fn", 60)
	r.bury("gn", 3, replays(3)) // left out
	all := 1.0                  // may fail again
	v := r.begin(Request{Act: Replay, Rate: 100, Canary: rng.IntN(2) == 0, MaxFailedShare: &all})
	r.stop()
	cuts := 0
	for {
		after := make(chan *vfs.MemFS, 1)
		c := &cutter{left: 1 + rng.IntN(150)}
		disk := w.disk
		c.cut = func() {
			after <- disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		}
		w.fs = func(m *vfs.MemFS) vfs.FS { return errorfs.Wrap(m, c) }
		r = w.open(func(r *rig) { r.waiting[lane("fn")], r.outcome = -1000, always(invocation.OutcomeDead, 0) })
		r.callReady("fn")
		var next *vfs.MemFS
		for next == nil && !r.get(v).State.IsOver() {
			select {
			case next = <-after:
			case <-time.After(time.Second):
			}
		}
		if next == nil {
			break
		}
		r.stop()
		w.disk = next
		if cuts++; cuts > 500 {
			t.Fatalf("seed %d: the job makes no progress: cuts = %d, want at most 500", seed, cuts)
		}
	}
	v = r.get(v)
	switch {
	case v.State != Done:
		t.Errorf("seed %d: after %d cuts the job is %+v, want State %q", seed, cuts, v, Done)
	case v.Done != 60:
		t.Errorf("seed %d: after %d cuts the job is %+v, want Done 60", seed, cuts, v)
	case v.Skipped != 3:
		t.Errorf("seed %d: after %d cuts the job is %+v, want Skipped 3", seed, cuts, v)
	}
	if n := replaysOf(t, r.store, ids); n != 60 {
		t.Errorf("seed %d: %d of 60 were replayed, want 60", seed, n)
	}
	for range 100 {
		if got, _, err := r.store.Tally(t.Context(), v.ID); err != nil || got.Pending() == 0 {
			break
		}
		time.Sleep(time.Second)
	}
	want := store.Tally{Replayed: 60, FailedAgain: 60}
	if got := r.get(v).Tally; got == nil || *got != want {
		t.Errorf("seed %d: after %d cuts the outcomes are %+v, want %+v", seed, cuts, got, want)
	}
	t.Logf("%d cuts", cuts)
}

// callReady calls what the process before has left ready.
func (r *rig) callReady(function string) {
	r.t.Helper()
	all, err := r.store.Take(context.Background(), lane(function), store.Ready{}, 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, at := range all {
		r.acting.Go(func() { r.call(at) })
	}
}

func TestAPauseOutlivesARestartAndARunningJobContinues(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.open()
		r.bury("fn", 30)
		r.bury("gn", 40)
		r.setWaiting("fn", -1000)
		paused := r.begin(Request{Act: Replay, Rate: 1, Filter: of(spec{Function: "fn"})})
		runs := r.begin(Request{Act: Replay, Rate: 1, Filter: of(spec{Function: "gn"})})
		planned := r.plan(Request{Act: Drop})
		pass(5 * time.Second)
		if _, err := r.jobs.Pause(t.Context(), paused.ID); err != nil {
			t.Fatal(err)
		}
		done, moved := r.get(paused).Done, r.get(runs).Done
		r.stop()
		pass(time.Minute)
		r = w.open(func(r *rig) { r.waiting[lane("fn")] = -1000 })
		pass(10 * time.Second)
		r.want(paused, Paused, done, 0)
		switch v := r.get(runs); {
		case v.Done < moved+9:
			t.Errorf("then %d, want at least %d", v.Done, moved+9)
		case v.Done > moved+12:
			t.Errorf("then %d, want at most %d", v.Done, moved+12)
		}
		r.want(planned, Planned, 0, 0)
		if _, err := r.jobs.Resume(t.Context(), paused.ID); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		if v := r.get(paused); v.Done < done+9 {
			t.Errorf("resumed it has done %d, before %d, want at least %d", v.Done, done, done+9)
		}
		if _, err := r.jobs.Apply(t.Context(), planned.ID); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		a, b, c := r.get(paused), r.get(runs), r.get(planned)
		switch {
		case a.State != Done:
			t.Errorf("the jobs are\n%+v\n%+v, want State %q\n%+v", a, b, Done, c)
		case b.State != Done:
			t.Errorf("the jobs are\n%+v\n%+v, want State %q\n%+v", a, b, Done, c)
		case c.State != Done:
			t.Errorf("the jobs are\n%+v\n%+v, want State %q\n%+v", a, b, Done, c)
		case a.Done+b.Done+c.Done != 70:
			t.Errorf("the jobs are\n%+v\n%+v: a.Done+b.Done+c.Done = %d, want 70\n%+v", a, b, a.Done+b.Done+c.Done, c)
		}
	})
}

// full is a disk that can be full.
type full struct{ atomic.Bool }

func (f *full) MaybeError(op errorfs.Op) error {
	if f.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		return fmt.Errorf("%s: %w", op.Path, syscall.ENOSPC)
	}
	return nil
}

func (*full) String() string { return "full" }

func TestAFullDiskHoldsAJobAndLosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, f := newWorld(t), &full{}
		w.fs = func(m *vfs.MemFS) vfs.FS { return errorfs.Wrap(m, f) }
		r := w.open(func(r *rig) { r.waiting[lane("fn")] = -1000 })
		ids := r.bury("fn", 100)
		v := r.begin(Request{Act: Replay})
		pass(3 * time.Second)
		f.Store(true)
		pass(5 * time.Second)
		had := r.get(v)
		switch {
		case had.State != Waiting:
			t.Errorf("while the disk is full the job is %+v, want State %q", had, Waiting)
		case !slices.Contains([]int{29, 30, 31, 32}, had.Done):
			t.Errorf("while the disk is full the job is %+v: slices.Contains([]int{29, 30, 31, 32}, had.Done) = false, want true", had)
		}
		pass(time.Hour)
		r.want(v, Waiting, had.Done, 0)
		f.Store(false)
		pass(time.Minute)
		r.want(v, Done, 100, 0)
		if n := replaysOf(t, r.store, ids); n != 100 {
			t.Errorf("%d of 100 were replayed, want 100", n)
		}
	})
}

// A pause that cannot be stored holds in the process all the same.
func TestAPauseOnAFullDiskHoldsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, f := newWorld(t), &full{}
		w.fs = func(m *vfs.MemFS) vfs.FS { return errorfs.Wrap(m, f) }
		r := w.open(func(r *rig) { r.waiting[lane("fn")] = -1000 })
		r.bury("fn", 100)
		v := r.begin(Request{Act: Replay})
		pass(time.Second)
		f.Store(true)
		pass(time.Second)
		done := make(chan error, 1)
		go func() {
			_, err := r.jobs.Pause(t.Context(), v.ID)
			done <- err
		}()
		synctest.Wait()
		if got := r.get(v); got.State != Paused {
			t.Errorf("the job is %+v, want State %q", got, Paused)
		}
		f.Store(false)
		if err := <-done; err != nil {
			t.Error(err)
		}
		had := r.get(v).Done
		pass(time.Minute)
		r.want(v, Paused, had, 0)
	})
}

// The clock is set back by an hour after the plan: what is replayed and dies again
// seems to have died before the plan.
func TestAClockThatIsSetBackRepeatsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, embedded.Options{})
		ids := r.bury("fn", 100, func(i *invocation.Invocation) { i.DiedAt = i.DiedAt.Add(-2 * time.Hour) })
		r.become(always(invocation.OutcomeDead, 0))
		v := r.begin(Request{Act: Replay})
		pass(2 * time.Second)
		r.set(-time.Hour)
		pass(time.Hour)
		r.want(v, Done, 100, 0)
		for _, id := range ids {
			if n := r.replayed(id); n != 1 {
				t.Fatalf("a dead letter became ready %d times, want 1", n)
			}
		}
	})
}
