package embedded

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// hookedFS does something before each read of a table.
type hookedFS struct {
	vfs.FS
	hook func()
}

type hookedFile struct {
	vfs.File
	hook func()
}

func (f hookedFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.Open(name, o...)
	if err != nil || !isTable(name) {
		return file, err
	}
	return hookedFile{file, f.hook}, nil
}

func (f hookedFile) ReadAt(p []byte, off int64) (int, error) {
	f.hook()
	return f.File.ReadAt(p, off)
}

func TestCheckEndsWithItsContextWhateverItIsDoing(t *testing.T) {
	t.Parallel()
	reading, goOn := make(chan struct{}, 1), make(chan struct{})
	fsys := hookedFS{killed().onto(t), func() {
		select {
		case reading <- struct{}{}:
		default:
		}
		<-goOn
	}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := check(ctx, Options{Dir: "data", FS: fsys}, nil)
		ended <- err
	}()
	<-reading
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v, want %v", err, context.Canceled)
	}
	close(goOn)
}

func TestCheckThatMakesNoProgressEnds(t *testing.T) {
	t.Parallel()
	base := killed()
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		r, err := check(t.Context(), Options{Dir: "data", FS: hookedFS{base.onto(t), func() { <-goOn }}}, nil)
		switch {
		case err != nil:
			t.Errorf("%q, %v, want no error", r.Findings, err)
		case len(r.Findings) != 1:
			t.Errorf("%q, %v, want 1 finding", r.Findings, err)
		case !strings.Contains(r.Findings[0], "made no progress for 5m0s in its step"):
			t.Errorf(`%q, %v, want "made no progress for 5m0s in its step" in r.Findings[0]`, r.Findings, err)
		case !strings.Contains(r.Findings[0], ".sst"):
			t.Errorf(`%q, %v, want ".sst" in r.Findings[0]`, r.Findings, err)
		}
		close(goOn)
		synctest.Wait()
	})
}

func TestAPanicOverDamagedFilesIsAFinding(t *testing.T) {
	t.Parallel()
	damaged := func() vfs.FS {
		return hookedFS{killed().onto(t), func() { panic("index out of range") }}
	}
	r, err := check(t.Context(), Options{Dir: "data", FS: damaged()}, nil)
	switch {
	case err != nil:
		t.Errorf("check: %q, %v, want no error", r.Findings, err)
	case len(r.Findings) != 1:
		t.Errorf("check: %q, %v, want 1 finding", r.Findings, err)
	case !strings.Contains(r.Findings[0], "index out of range"):
		t.Errorf(`check: %q, %v, want "index out of range" in r.Findings[0]`, r.Findings, err)
	case !strings.Contains(r.Findings[0], `its step "opening", the last file was store/`):
		t.Errorf(`check: %q, %v, want its step "opening", the last file was store/ in r.Findings[0]`, r.Findings, err)
	}
	// Pebble reads tables for its statistics on a goroutine of its own, where no panic can be caught.
	foreground := func(o *pebble.Options) { o.DisableTableStats = true }
	switch _, err := Open(Options{Dir: "data", FS: damaged(), tune: foreground}); {
	case err == nil:
		t.Errorf("start: %v, want an error", err)
	case !strings.Contains(err.Error(), "index out of range"):
		t.Errorf(`start: %v, want "index out of range" in Error`, err)
	case !strings.Contains(err.Error(), "store check"):
		t.Errorf(`start: %v, want "store check" in Error`, err)
	}
}

// TestADamagedTableIsNotSearchedAgainAndAgain: Pebble looks for the flipped bit with every
// read, which takes a fifth of a second for a small block and minutes for a large one.
func TestADamagedTableIsNotSearchedAgainAndAgain(t *testing.T) {
	t.Parallel()
	for _, suspect := range []bool{true, false} {
		f := killed()
		for _, name := range f.names() {
			if !isTable(name) {
				continue
			}
			mem := f.onto(t)
			file, err := mem.Open("data/store/" + name)
			if err != nil {
				t.Fatal(err)
			}
			file, err = verified(file, name, func() bool { return suspect })
			if err != nil {
				t.Fatal(err)
			}
			_, err = file.ReadAt(make([]byte, 100), 0) // the beginning of a block is no block
			if (err != nil) != suspect {
				t.Errorf("%s: a wrong checksum gives %v, suspect is %t, want err != nil %v", name, err, suspect, suspect)
			}
			if _, err := file.ReadAt(make([]byte, 60), int64(len(f[name])-60)); err != nil {
				t.Errorf("%s: the footer has no checksum of its own: %v, want no error", name, err)
			}
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
