package embedded

// The disk ends the process: a full one is waited for at the start, and one that failed costs no
// invocation a crash.

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"queue-worker/pkg/store"
)

func TestADiskThatIsFullAtTheStartIsWaitedFor(t *testing.T) {
	t.Parallel()
	all := append(append([]errorfs.OpKind{errorfs.OpMkdirAll}, writes...), makes...)
	tests := []struct {
		name string
		broken
	}{
		{"no room to write", broken{"*", writes, syscall.ENOSPC}},
		{"no room for a file", broken{"*", makes, syscall.ENOSPC}},
		{"no room for anything", broken{"*", all, syscall.ENOSPC}},
		{"a quota", broken{"*", writes, syscall.EDQUOT}},
		{"a quota that only a sync finds", broken{probeFile, syncs, syscall.EDQUOT}},
		{"no room for the log", broken{"*.log", append(writes, makes...), syscall.ENOSPC}},
		{"no room for the MANIFEST", broken{"MANIFEST-*", append(writes, makes...), syscall.ENOSPC}},
		{"no room for the in-flight markers", broken{marksFile, []errorfs.OpKind{errorfs.OpFileWriteAt, errorfs.OpFileWrite}, syscall.ENOSPC}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mem, toggle, log := vfs.NewCrashableMem(), &errorfs.Toggle{Injector: tt.broken}, make(events, 100)
			p := playerOn(t, mem)
			if err := errors.Join(p.lives(), p.burst(40, 2000), p.Close()); err != nil {
				t.Fatal(err)
			}
			toggle.On()
			type opened struct {
				s   *Store
				err error
			}
			done := make(chan opened, 1)
			go func() {
				s, err := Open(Options{Dir: "data", FS: errorfs.Wrap(mem, toggle), Logger: log.logger(), Now: p.time, Slots: 4, tune: small})
				done <- opened{s, err}
			}()
			log.wait(t, "disk full, waiting for room")
			toggle.Off()
			got := <-done
			if got.err != nil {
				t.Fatalf("after there was room: %v, want nil", got.err)
			}
			log.wait(t, "disk has room again")
			p.Store = got.s
			l := p.copy()
			if err := errors.Join(l.verify(p.Store), p.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestIOErrorsAreNoCrashesOfWhatIsInFlight: an invocation that was in flight each time is innocent.
func TestIOErrorsAreNoCrashesOfWhatIsInFlight(t *testing.T) {
	t.Parallel()
	for _, mapped := range []bool{true, false} {
		t.Run(fmt.Sprintf("markers in a mapped file: %t", mapped), func(t *testing.T) {
			var fail atomic.Bool
			injected := errorfs.InjectorFunc(func(op errorfs.Op) error {
				if fail.Load() && strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
					return syscall.EIO
				}
				return nil
			})
			p := newPlayer(nil)
			o := Options{Dir: t.TempDir(), Slots: 2, Now: p.time, tune: small}
			raw, mem := vfs.Default, vfs.NewCrashableMem()
			if !mapped {
				raw = mem
			}
			open := func() { // a copy of the files, as the failed store has them locked
				t.Helper()
				fail.Store(false)
				if mapped {
					o.Dir = copied(t, o.Dir)
				} else {
					mem = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))}) // #nosec G404 -- a test
					raw = mem
				}
				o.FS = errorfs.Wrap(raw, injected)
				s, err := Open(o)
				if err != nil {
					t.Fatal(err)
				}
				p.Store = s
			}
			open()
			inv, err := p.do(10, nil)
			if err != nil {
				t.Fatal(err)
			}
			for n := range store.PoisonLimit + 1 {
				p.Hold(1, inv.ID)
				fail.Store(true)
				if err := p.untilFailed(); !errors.Is(err, syscall.EIO) {
					t.Fatalf("error %d is %v, want %v", n, err, syscall.EIO)
				}
				<-p.Failure()
				if err := p.Close(); err != nil {
					t.Fatal(err)
				}
				open()
				if r := p.Recovered(); r.InFlight != 0 {
					t.Errorf("after %d errors: recovered %+v, want none in flight", n+1, r)
				}
			}
			got, err := p.Get(t.Context(), inv.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got.Crashes != 0 {
				t.Errorf("crashes %d, want 0", got.Crashes)
			}
			if dead := p.Stats().Dead; dead != 0 {
				t.Errorf("dead %d, want 0", dead)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// copied is a copy of the files of a store that has failed. What it still removed meanwhile makes the copy
// begin again.
func copied(t *testing.T, dir string) string {
	t.Helper()
	for {
		to := t.TempDir()
		err := os.CopyFS(to, os.DirFS(dir))
		if err == nil {
			return to
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}
