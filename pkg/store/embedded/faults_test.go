package embedded

// A disk that fails: every waiting operation gets the error, none hangs, and what was
// confirmed is there after a restart.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// broken injects an I/O error into some operations on files of some name.
type broken struct {
	pattern string
	kinds   []errorfs.OpKind
	err     error
}

func (b broken) MaybeError(op errorfs.Op) error {
	match, _ := filepath.Match(b.pattern, filepath.Base(op.Path))
	for _, k := range b.kinds {
		if match && op.Kind == k {
			return b.err
		}
	}
	return nil
}

func (b broken) String() string { return "broken " + b.pattern }

// playerOn opens a store on a file system and keeps a ledger beside it.
func playerOn(t *testing.T, fsys vfs.FS) *player {
	t.Helper()
	p := newPlayer(nil)
	s, err := Open(Options{Dir: "data", Slots: 4, FS: fsys, Now: p.time, tune: small})
	if err != nil {
		t.Fatal(err)
	}
	p.Store = s
	return p
}

// verifyClone holds what a power cut would leave just now against the ledger.
func (p *player) verifyClone(t *testing.T, mem *vfs.MemFS) {
	t.Helper()
	l, now := p.copy(), p.time() // p may go on meanwhile
	s, err := Open(Options{Dir: "data", FS: mem.CrashClone(vfs.CrashCloneCfg{}), Now: func() time.Time { return now }, tune: small})
	if err != nil {
		t.Fatalf("opening what is left: %v, want no error", err)
	}
	if err := errors.Join(l.verify(s), s.Close()); err != nil {
		t.Errorf("what is left: %v, want no error", err)
	}
}

var (
	writes = []errorfs.OpKind{errorfs.OpFileWrite}
	syncs  = []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData}
	makes  = []errorfs.OpKind{errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpRename, errorfs.OpOpenDir}
)

func TestAFailedDiskIsToldToEverybody(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		broken
	}{
		{"writing the log", broken{"*.log", writes, syscall.EIO}},
		{"syncing the log", broken{"*.log", syncs, syscall.EIO}},
		{"syncing the log for want of room, after which the kernel may have forgotten", broken{"*.log", syncs, syscall.ENOSPC}},
		{"making a new log", broken{"*.log", makes, syscall.EIO}},
		{"making a table", broken{"*.sst", makes, syscall.EIO}},
		{"syncing a table for want of a buffer, after which the kernel may have forgotten", broken{"*.sst", syncs, syscall.ENOBUFS}},
		{"syncing the folder for want of a buffer", broken{"store", syncs, syscall.ENOBUFS}},
		{"writing a table", broken{"*.sst", writes, syscall.EIO}},
		{"syncing a table", broken{"*.sst", syncs, syscall.EIO}},
		{"writing the MANIFEST", broken{"MANIFEST-*", writes, syscall.EIO}},
		{"syncing the MANIFEST", broken{"MANIFEST-*", syncs, syscall.EIO}},
		{"making a new MANIFEST", broken{"MANIFEST-*", makes, syscall.EROFS}},
		{"making a marker", broken{"marker.*", makes, syscall.EIO}},
		{"syncing the folder", broken{"store", syncs, syscall.EIO}},
		{"the volume being taken away", broken{"*", append(writes, makes...), syscall.ENOENT}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewCrashableMem()
			toggle := &errorfs.Toggle{Injector: tt.broken}
			p := playerOn(t, errorfs.Wrap(mem, toggle))
			if err := errors.Join(p.lives(), p.dies(t.Context())); err != nil {
				t.Fatal(err)
			}
			letter, held := p.letter(t), p.burst(8, 100)
			if held != nil {
				t.Fatal(held)
			}
			toggle.On()
			if err := p.untilFailed(); !errors.Is(err, store.ErrFailed) || !errors.Is(err, tt.err) {
				t.Fatalf("the waiting operation gets %v, want ErrFailed because of %v", err, tt.err)
			}
			p.checkFailed(t, letter, tt.err)
			if err := p.Close(); err != nil {
				t.Errorf("close: %v, want no error", err)
			}
			p.verifyClone(t, mem)
		})
	}
}

// letter puts one invocation into the dead set.
func (p *player) letter(t *testing.T) *invocation.Invocation {
	t.Helper()
	inv, err := p.do(100, nil)
	if err == nil {
		err = p.settle(inv, invocation.OutcomeDead, func(i *invocation.Invocation) { i.DiedAt = p.time() }, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// untilFailed works on, with many waiting at a time, until the store fails.
func (p *player) untilFailed() error {
	for range 500 {
		if err := p.burst(16, 2000); err != nil {
			return err
		}
	}
	return errors.New("the store did not fail")
}

// checkFailed checks that a failed store says so everywhere, at once.
func (p *player) checkFailed(t *testing.T, letter *invocation.Invocation, cause error) {
	t.Helper()
	ctx := t.Context()
	inv := &invocation.Invocation{ID: invocation.NewID(p.time()), Lane: letter.Lane, Since: p.time()}
	for name, f := range map[string]func() error{
		"accept": func() error {
			done := make(chan error, 1)
			p.Accept(store.Accept{Inv: inv}, func(err error) { done <- err })
			return <-done
		},
		"settle": func() error {
			return p.Settle(ctx, store.Settlement{At: store.Ready{ID: letter.ID}, Outcome: invocation.OutcomeDone, Inv: letter})
		},
		"move due":   func() error { _, err := p.MoveDue(ctx); return err },
		"replay":     func() error { return p.Replay(ctx, letter.ID) },
		"drop":       func() error { return p.Drop(ctx, letter.ID) },
		"expire":     func() error { _, err := p.Expire(ctx, store.Bounds{MaxAge: 1}); return err },
		"load":       func() error { _, _, err := p.Load(t.Context(), letter.ID); return err },
		"next ready": func() error { _, err := p.Take(t.Context(), letter.Lane, store.Ready{}, 1); return err },
		"letters":    func() error { _, err := p.Letters(ctx, store.Filter{}, "", 1); return err },
		"groups":     func() error { _, err := p.Groups(ctx, store.Filter{}); return err },
		"pending":    func() error { _, _, err := p.Pending(ctx, store.PendingFilter{}, "", 1); return err },
		"act":        func() error { _, err := p.Act(ctx, store.Batch{IDs: []invocation.ID{letter.ID}}); return err },
		"cancel":     func() error { _, err := p.Cancel(ctx, letter.ID); return err },
		"put note":   func() error { return p.PutNote(ctx, store.Note{Name: "n"}) },
		"claim":      func() error { return p.Claim(ctx, store.Key{}, letter.ID, "") },
		"sweep":      func() error { _, err := p.Sweep(ctx); return err },
		"result":     func() error { _, err := p.Result(t.Context(), letter.ID, true); return err },
		"Failed":     p.Failed, "Err": p.Err, "Full": p.Full, "Health": p.Health,
	} {
		if err := f(); !errors.Is(err, store.ErrFailed) || !errors.Is(err, cause) {
			t.Errorf("%s gives %v, want ErrFailed because of %v", name, err, cause)
		}
	}
	if d := p.Stats().Difference(); d != 0 {
		t.Errorf("accepted minus stored minus finished: got %d, want 0", d)
	}
	_, _, _ = p.Usage(), p.Lanes(), p.NextDue()
}

// TestAFailureAtTheIntervalIsNoticed: no operation waits for a sync in interval mode.
func TestAFailureAtTheIntervalIsNoticed(t *testing.T) {
	t.Parallel()
	toggle := &errorfs.Toggle{Injector: broken{"*.log", syncs, syscall.EIO}}
	s, err := Open(Options{Dir: "data", Sync: time.Millisecond, FS: errorfs.Wrap(vfs.NewCrashableMem(), toggle)})
	if err != nil {
		t.Fatal(err)
	}
	toggle.On()
	<-s.failed
	if err := s.Err(); !errors.Is(err, store.ErrFailed) {
		t.Errorf("Err is %v, want %v", err, store.ErrFailed)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v, want no error", err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		broken
		hint string
	}{
		{"no permission", broken{"*", makes, syscall.EACCES}, "must own it"},
		{"no permission for the lock", broken{"LOCK", []errorfs.OpKind{errorfs.OpLock}, &fs.PathError{Op: "open", Path: "LOCK", Err: syscall.EACCES}}, "must own it"},
		{"locked by another process", broken{"LOCK", []errorfs.OpKind{errorfs.OpLock}, syscall.EAGAIN}, "a folder of its own"},
		{"a file system without locks", broken{"LOCK", []errorfs.OpKind{errorfs.OpLock}, syscall.ENOLCK}, "use a local volume"},
		{"a volume that is read-only", broken{"*", append(writes, makes...), syscall.EROFS}, "for writing"},
		{"a disk that does not write", broken{"*", writes, syscall.EIO}, "look at the disk"},
		{"a disk that does not sync", broken{"*", syncs, syscall.EIO}, "look at the disk"},
		{"a MANIFEST that cannot be synced", broken{"MANIFEST-*", syncs, syscall.EIO}, "look at the disk"},
		{"a MANIFEST that cannot be read", broken{"MANIFEST-*", []errorfs.OpKind{errorfs.OpFileRead}, syscall.EIO}, "look at the disk"},
		{"a log that cannot be read", broken{"*.log", []errorfs.OpKind{errorfs.OpFileRead}, syscall.EIO}, "look at the disk"},
		{"marks that cannot be opened", broken{marksFile, []errorfs.OpKind{errorfs.OpOpen}, syscall.EIO}, "look at the disk"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewCrashableMem()
			p := playerOn(t, mem)
			if err := errors.Join(p.lives(), p.burst(40, 2000), p.Close()); err != nil {
				t.Fatal(err)
			}
			o := Options{Dir: "data", FS: errorfs.Wrap(mem, tt.broken), tune: small}
			s, err := Open(o)
			if err == nil {
				t.Fatalf("opened in spite of it: %v: got %v, want an error", s.Close(), err)
			}
			want := tt.err
			if errors.Is(want, syscall.EAGAIN) {
				want = store.ErrLocked
			}
			switch text := err.Error(); {
			case !errors.Is(err, want):
				t.Errorf("error is %q: got %v, want %v", text, err, want)
			case !strings.Contains(text, "data_dir data: "):
				t.Errorf(`error is %q, want "data_dir data: " in it`, text)
			case !strings.Contains(text, tt.hint):
				t.Errorf("error is %q, want %q in it", text, tt.hint)
			}
			p.verifyClone(t, mem)
		})
	}
}

func TestASecondOpenIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := Open(Options{Dir: dir}); !errors.Is(err, store.ErrLocked) {
			t.Errorf("error is %v, want ErrLocked", err)
		} else if want := fmt.Sprintf("data_dir %s: in use by another process (%s, process %d, since ", dir, host, os.Getpid()); !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error is %q, want %q at its beginning", err, want)
		} else if want := "Z): each worker needs a folder of its own"; !strings.HasSuffix(err.Error(), want) {
			t.Errorf("error is %q, want %q at its end", err, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(Options{Dir: dir}); err != nil {
		t.Fatalf("after Close: %v, want no error", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestANewerLayoutIsRefused(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	s, err := Open(Options{Dir: "data", FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Set(versionKey, []byte{0, 0, 0, layoutVersion + 1}, nil); err != nil {
		t.Fatal(err)
	}
	before := contentOf(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func() error{
		"open":  func() error { _, err := Open(Options{Dir: "data", FS: mem}); return err },
		"check": func() error { _, err := check(t.Context(), Options{Dir: "data", FS: mem}, nil); return err },
	} {
		if err := f(); !errors.Is(err, store.ErrNewer) || !strings.Contains(err.Error(), "upgrade the program") {
			t.Errorf("%s gives %v, want ErrNewer and a hint", name, err)
		}
	}
	db, err := pebble.Open("data/store", &pebble.Options{FS: mem, ReadOnly: true, FormatMajorVersion: pebble.FormatNewest})
	if err != nil {
		t.Fatal(err)
	}
	if after := contentOf(t, &Store{db: db}); after != before {
		t.Errorf("the store was changed from %q to %q, want %v", before, after, before)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// contentOf returns all keys and values of a store.
func contentOf(t *testing.T, s *Store) (all string) {
	t.Helper()
	switch err := s.each(nil, nil, func(key, value []byte) (bool, error) {
		all += fmt.Sprintf("%x=%x\n", key, value)
		return true, nil
	}); {
	case err != nil:
		t.Fatalf("got %q, %v, want no error", all, err)
	case all == "":
		t.Fatalf("got %q, %v, want all not empty", all, err)
	}
	return all
}
