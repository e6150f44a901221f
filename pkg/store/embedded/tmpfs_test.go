//go:build linux

package embedded

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestARealVolumeThatIsFull fills a small tmpfs, which only root can mount.
func TestARealVolumeThatIsFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("a tmpfs cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 16<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	p, log := newPlayer(nil), make(events, 100)
	o := Options{Dir: dir, Logger: log.logger(), Now: p.time, MinFree: 1}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	p.Store = s
	if p.Usage().FreeBytes == 0 {
		t.Error("the free space is not known, want FreeBytes not 0")
	}
	working := make(chan error, 1)
	go func() { working <- p.burst(200, 100_000) }() // more than there is room for
	log.wait(t, "disk full, waiting for room")
	if p.Err() == nil {
		t.Error("the store can be relied upon, it says, want err set")
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=200m"); err != nil {
		t.Fatal(err)
	}
	if err := <-working; err != nil {
		t.Fatalf("after there was room: %v, want no error", err)
	}
	log.wait(t, "disk has room again")
	l := p.copy()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.verify(again); err != nil {
		t.Error(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
