//go:build unix

package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"queue-worker/pkg/datadir"
	"queue-worker/pkg/store"
)

func TestALinkBelowDataDirIsRefusedAndNotWrittenThrough(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"LOCK", "holder", "in-hand", "OPTIONS-000003", "000099.log", "anything"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, _ := filled(t, 2)
			target := filepath.Join(t.TempDir(), "target")
			path := filepath.Join(dir, "store", name)
			if err := errors.Join(os.WriteFile(target, []byte("precious"), 0o600), os.RemoveAll(path), os.Symlink(target, path)); err != nil {
				t.Fatal(err)
			}
			_, checkErr := Check(t.Context(), dir, nil)
			_, lookErr := Look(dir)
			s, openErr := Open(Options{Dir: dir})
			if openErr == nil {
				_ = s.Close()
			}
			for what, err := range map[string]error{"check": checkErr, "look": lookErr, "open": openErr} {
				switch {
				case !errors.Is(err, datadir.ErrNotPlain):
					t.Errorf("%s: %v, want %v", what, err, datadir.ErrNotPlain)
				case !strings.Contains(err.Error(), path+": a symbolic link"):
					t.Errorf("%s: %v, want %q in Error", what, err, path+": a symbolic link")
				case strings.Contains(err.Error(), "store check"):
					t.Errorf(`%s: %v, want no "store check" in Error`, what, err)
				}
			}
			switch b, err := os.ReadFile(target); {
			case err != nil:
				t.Errorf("the target is now %q, %v, want no error", b, err)
			case string(b) != "precious":
				t.Errorf(`the target is now %q, %v, want "precious"`, b, err)
			}
		})
	}
}

func TestALinkThatIsPutThereLaterIsNotWrittenThrough(t *testing.T) {
	t.Parallel()
	dir, target := t.TempDir(), filepath.Join(t.TempDir(), "target")
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "store", "000777.sst")
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.raw.Create(path, ""); !errors.Is(err, datadir.ErrNotPlain) {
		t.Errorf("creating a file in its place: %v, want %v", err, datadir.ErrNotPlain)
	}
	if _, err := s.raw.Open(path); !errors.Is(err, datadir.ErrNotPlain) {
		t.Errorf("reading it: %v, want %v", err, datadir.ErrNotPlain)
	}
	switch b, err := os.ReadFile(target); {
	case err != nil:
		t.Errorf("the target is now %q, %v, want no error", b, err)
	case string(b) != "precious":
		t.Errorf(`the target is now %q, %v, want "precious"`, b, err)
	}
}

func TestADataDirMayBeALink(t *testing.T) {
	t.Parallel()
	dir, all := filled(t, 2)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if r, err := Check(t.Context(), link, nil); err != nil || !r.OK() || r.Invocations != len(all) {
		t.Errorf("check: %+v, %v", r, err)
	}
	s, err := Open(Options{Dir: link})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestCheckMakesNoLockFile(t *testing.T) {
	t.Parallel()
	dir, _ := filled(t, 2)
	lock := filepath.Join(dir, "store", "LOCK")
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if r, err := Check(t.Context(), dir, nil); err != nil || !r.OK() {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := os.Lstat(lock); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a lock now: %v, want %v", err, os.ErrNotExist)
	}
}

// TestAWorkerStartsDuringACheck: a check locks nothing, and does not report what it read of a folder that
// changed meanwhile.
func TestAWorkerStartsDuringACheck(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]bool{"and works": false, "and ends": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, _ := filled(t, 2)
			var worker *Store
			_, err := Check(t.Context(), dir, func(step string) {
				if step != "tables" {
					return
				}
				var err error
				if worker, err = Open(Options{Dir: dir}); err != nil {
					t.Errorf("the worker does not start: %v", err)
				}
				if ends {
					_ = worker.Close()
				}
			})
			if !errors.Is(err, store.ErrLocked) {
				t.Fatalf("the check gives %v, want %v", err, store.ErrLocked)
			}
			if want := "a worker started during the check"; !strings.Contains(err.Error(), want) {
				t.Errorf("the check gives %q, want %q in it", err, want)
			}
			if err := worker.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestALookLocksNothing(t *testing.T) {
	t.Parallel()
	dir, _ := filled(t, 2)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = Look(dir)
				}
			}
		})
	}
	for range 20 {
		s, err := Open(Options{Dir: dir})
		if err != nil {
			t.Errorf("beside looks a worker does not start: %v", err)
			break
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
}
