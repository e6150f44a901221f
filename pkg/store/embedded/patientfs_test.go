package embedded

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

const (
	logExhausted = "no free file descriptor, waiting"
	logFree      = "file descriptors are free again"
)

// opens are the operations that take a descriptor.
var opens = []errorfs.OpKind{errorfs.OpCreate, errorfs.OpOpen, errorfs.OpOpenDir, errorfs.OpList, errorfs.OpLock}

// starved returns a file system with files of a pattern that cannot be opened while the toggle is
// on. Most files of a store are opened under other names than their own pattern, so "*" is all.
func starved(pattern string, err error) (*vfs.MemFS, *errorfs.Toggle, vfs.FS) {
	mem, toggle := vfs.NewCrashableMem(), &errorfs.Toggle{Injector: broken{pattern, opens, err}}
	return mem, toggle, errorfs.Wrap(mem, toggle)
}

// starving opens a store on a file system that has descriptors, for now.
func starving(t *testing.T, pattern string, err error) (*player, *vfs.MemFS, *errorfs.Toggle, events) {
	t.Helper()
	log := make(events, 100)
	p := newPlayer(nil)
	mem, toggle, fsys := starved(pattern, err)
	s, openErr := Open(Options{Dir: "data", Slots: 4, FS: fsys, Logger: log.logger(), Now: p.time, tune: small})
	if openErr != nil {
		t.Fatal(openErr)
	}
	p.Store = s
	return p, mem, toggle, log
}

func TestAFreeDescriptorIsWaitedFor(t *testing.T) {
	t.Parallel()
	for n, tt := range []struct {
		name, pattern string
		err           error
	}{
		{"for any file", "*", syscall.EMFILE},
		{"for any file, in the whole system", "*", syscall.ENFILE},
		{"for want of a buffer", "*", syscall.ENOBUFS},
		{"for a log", "*.log", syscall.EMFILE},
		{"for a table", "*.sst", syscall.EMFILE},
		{"for a MANIFEST", "MANIFEST-*", syscall.EMFILE},
		{"for a marker", "marker.*", syscall.EMFILE},
		{"for the folder, which is synced", "store", syscall.EMFILE},
	} {
		if n%everyWithShort(3) != 0 {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, mem, toggle, log := starving(t, tt.pattern, tt.err)
			if err := p.lives(); err != nil {
				t.Fatal(err)
			}
			toggle.On()
			working := make(chan error, 1)
			go func() {
				err := error(nil)
				for range 20 {
					err = errors.Join(err, p.burst(50, 2000), p.lives(), p.dies(context.Background()))
				}
				working <- err
			}()
			begins, ends := logExhausted, logFree
			if errors.Is(tt.err, syscall.ENOBUFS) {
				begins, ends = "no buffer for a socket, waiting", "buffers for sockets are free again"
			}
			log.wait(t, begins)
			for name, f := range map[string]func() error{"Err": p.Err, "Full": p.Full, "Health": p.Health} {
				switch err := f(); {
				case !errors.Is(err, syscall.EMFILE):
					t.Errorf("%s is %v without a free descriptor, want %v", name, err, syscall.EMFILE)
				case !strings.Contains(err.Error(), "no free file descriptor"):
					t.Errorf(`%s is %v without a free descriptor, want "no free file descriptor" in Error`, name, err)
				}
			}
			if err := p.Failed(); err != nil {
				t.Errorf("failed: %v, want no error", err)
			}
			p.verifyClone(t, mem)
			toggle.Off()
			if err := <-working; err != nil {
				t.Fatalf("after descriptors were free: %v, want no error", err)
			}
			log.wait(t, ends)
			for name, f := range map[string]func() error{"Err": p.Err, "Full": p.Full, "Health": p.Health} {
				if err := f(); err != nil {
					t.Errorf("%s is %v after descriptors were free, want no error", name, err)
				}
			}
			p.verifyClone(t, mem)
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			p.verifyClone(t, mem)
		})
	}
}

func TestOpenWaitsForAFreeDescriptor(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"*", "LOCK", "data", "store", "MANIFEST-*", "*.log", "*.sst", "marker.*", marksFile} {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			p, mem, toggle, _ := starving(t, pattern, syscall.EMFILE)
			if err := errors.Join(p.lives(), p.burst(40, 2000), p.Close()); err != nil {
				t.Fatal(err)
			}
			log := make(events, 100)
			toggle.On()
			opened := make(chan error, 1)
			go func() {
				s, err := Open(Options{Dir: "data", Slots: 4, FS: errorfs.Wrap(mem, toggle), Logger: log.logger(), Now: p.time, tune: small})
				p.Store = s
				opened <- err
			}()
			if pattern != "data" { // it is there, so it is not synced again
				log.wait(t, logExhausted)
			}
			toggle.Off()
			if err := <-opened; err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(p.verify(p.Store), p.Health(), p.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestANewFolderWaitsForAFreeDescriptor(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"*", "data", "/"} {
		mem, toggle, fsys := starved(pattern, syscall.EMFILE)
		log := make(events, 100)
		toggle.On()
		opened := make(chan *Store, 1)
		go func() {
			s, err := Open(Options{Dir: "/data", FS: fsys, Logger: log.logger()})
			if err != nil {
				t.Error(err)
			}
			opened <- s
		}()
		log.wait(t, logExhausted)
		toggle.Off()
		if err := (<-opened).Close(); err != nil {
			t.Error(err)
		}
		_ = mem
	}
}

func TestCloseDoesNotWaitForAFreeDescriptor(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"*.log", "*.sst", "*"} {
		p, mem, toggle, log := starving(t, pattern, syscall.EMFILE)
		inv, err := p.do(100, nil)
		if err != nil {
			t.Fatal(err)
		}
		toggle.On()
		var all sync.WaitGroup
		for range 40 { // more than the queue holds are waiting
			all.Go(func() { _ = p.burst(50, 3000) })
		}
		settled := make(chan error, 1)
		go func() { settled <- p.settle(inv, invocation.OutcomeDone, nil, true) }()
		log.wait(t, logExhausted)
		if err := p.Close(); err != nil {
			t.Errorf("close: %v, want no error", err)
		}
		all.Wait() // all are answered
		if err := <-settled; err != nil && !errors.Is(err, store.ErrFailed) && !errors.Is(err, store.ErrClosed) {
			t.Errorf("settle returns %v", err)
		}
		p.verifyClone(t, mem)
	}
}

// TestACheckWithoutDescriptorsFindsNoDamage: a check is not patient, since it can be repeated, and an
// open that failed says nothing of the file.
func TestACheckWithoutDescriptorsFindsNoDamage(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"*", "LOCK", "MANIFEST-*", "*.log", "*.sst", marksFile} {
		p, mem, toggle, _ := starving(t, pattern, syscall.EMFILE)
		if err := errors.Join(p.lives(), p.burst(40, 2000), p.Close()); err != nil {
			t.Fatal(err)
		}
		toggle.On()
		report, err := check(t.Context(), Options{Dir: "data", FS: errorfs.Wrap(mem, toggle), tune: small}, nil)
		switch {
		case !errors.Is(err, syscall.EMFILE):
			t.Errorf("%s: %v, %+v, want %v", pattern, err, report, syscall.EMFILE)
		case !strings.Contains(err.Error(), "raise the limit of open files"):
			t.Errorf(`%s: %v, %+v, want "raise the limit of open files" in Error`, pattern, err, report)
		}
	}
}
