package embedded

// What a repair refuses, and how it ends: with a full target, with its context, at a link.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/datadir"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// TestRepairReadsBehindADamagedBlock: one damaged block of a table costs what is in it.
func TestRepairReadsBehindADamagedBlock(t *testing.T) {
	t.Parallel()
	dir, all := filled(t, 10)
	for _, n := range []uint64{3, 4, 7} {
		damageBytes(t, dir, noise(n, 20_000)[8_000:8_100])
	}
	logs := files(t, dir, "*.log")
	for _, name := range logs[:len(logs)-1] { // which were flushed and have all of it
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	before := snapshot(t, dir)
	to := filepath.Join(t.TempDir(), "new", "folder")
	r, err := Repair(t.Context(), dir, to, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Invocations != 7 || len(r.Lost) != 3 || len(r.Losses) != 1 || r.Losses[0].Keys != "QueueRequests" {
		t.Errorf("got %+v, want 7 kept and 3 lost", r)
	}
	for _, l := range r.Lost {
		if n := slices.IndexFunc(all, func(inv *invocation.Invocation) bool { return inv.ID == l.ID }); n != 3 && n != 4 && n != 7 {
			t.Errorf("lost number %d, want 3, 4 or 7", n)
		}
	}
	if after := snapshot(t, dir); after != before {
		t.Errorf("the source has changed from %q to %q", before, after)
	}
	if r, err := Check(t.Context(), to, nil); err != nil || !r.OK() {
		t.Errorf("the check of the result: %+v, %v", r, err)
	}
}

func TestRepairRefusesWhatItMustNotTouch(t *testing.T) {
	t.Parallel()
	dir, _ := filled(t, 2)
	used := t.TempDir()
	if err := os.WriteFile(filepath.Join(used, "notes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, from, to, want string }{
		{"a target that is not empty", dir, used, "is not empty: it has notes"},
		{"a target in the store", dir, filepath.Join(dir, "store", "new"), "is in the store that is to be repaired"},
		{"a target in the store, by a link", dir, filepath.Join(link, "store", "new"), "is in the store that is to be repaired"},
		{"the store itself", dir, dir, "is not empty: it has store"},
		{"a folder without a store", used, filepath.Join(used, "new"), "there is no store in it"},
		{"a target that is a file", dir, filepath.Join(used, "notes"), "not a directory"},
	}
	for _, tt := range tests {
		if _, err := Repair(t.Context(), tt.from, tt.to, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Repair(t.Context(), dir, filepath.Join(used, "new"), nil); !errors.Is(err, store.ErrLocked) {
		t.Errorf("while a worker uses it: got %v, want %v", err, store.ErrLocked)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestRepairFollowsNoLink puts a link in place of every file of a store in turn.
func TestRepairFollowsNoLink(t *testing.T) {
	t.Parallel()
	dir, all := filled(t, 2)
	for _, path := range files(t, dir, "*") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			copied, precious := t.TempDir(), filepath.Join(t.TempDir(), "precious")
			b, err := os.ReadFile(path)
			if err := errors.Join(err, os.CopyFS(copied, os.DirFS(dir)), os.WriteFile(precious, b, 0o600)); err != nil {
				t.Fatal(err)
			}
			linked := filepath.Join(copied, "store", filepath.Base(path))
			if err := errors.Join(os.Remove(linked), os.Symlink(precious, linked)); err != nil {
				t.Fatal(err)
			}
			r, err := Repair(t.Context(), copied, filepath.Join(copied, "new"), nil)
			if after, readErr := os.ReadFile(precious); readErr != nil || !bytes.Equal(after, b) {
				t.Errorf("the target of the link has changed: %v", readErr)
			}
			if filepath.Base(path) == "LOCK" {
				if !errors.Is(err, datadir.ErrNotPlain) {
					t.Errorf("got %v, want %v", err, datadir.ErrNotPlain)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if isTable(path) && !strings.Contains(fmt.Sprint(r.Losses), "symbolic link") {
				t.Errorf("losses %+v, want the link", r.Losses)
			}
			if kept := r.Invocations + len(r.Lost); kept > len(all) {
				t.Errorf("%d kept or lost, want at most %d", kept, len(all))
			}
		})
	}
}

// smallDisk is a disk with room for some bytes, which it says there are many of.
type smallDisk struct {
	vfs.FS
	room *atomic.Int64
}

type smallFile struct {
	vfs.File
	room *atomic.Int64
}

func (f smallDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return smallFile{file, f.room}, err
}

func (f smallFile) Write(p []byte) (int, error) {
	if f.room.Add(-int64(len(p))) < 0 {
		return 0, syscall.ENOSPC
	}
	return f.File.Write(p)
}

func TestRepairOntoAFullDiskEndsAndCleansUp(t *testing.T) {
	t.Parallel()
	dir, _ := filled(t, 20)
	source, err := readDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []int64{0, 1000, probeBytes + 20_000, probeBytes + 200_000} {
		mem, left := source.onto(t), &atomic.Int64{}
		left.Store(room)
		_, err := repair(t.Context(), Options{Dir: "data", FS: mem}, Options{Dir: "to", FS: smallDisk{mem, left}}, nil)
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free space on its volume") {
			t.Errorf("room for %d bytes: got %v, want %v with a hint", room, err, syscall.ENOSPC)
		}
		if names, err := mem.List("to"); err != nil || len(names) > 0 {
			t.Errorf("room for %d bytes: the target has %q, %v, want nothing", room, names, err)
		}
	}
}

// readDisk reads the files of a store on disk.
func readDisk(dir string) (folder, error) {
	f := folder{}
	names, err := os.ReadDir(filepath.Join(dir, "store"))
	for _, d := range names {
		b, readErr := os.ReadFile(filepath.Join(dir, "store", d.Name()))
		f[d.Name()], err = b, errors.Join(err, readErr)
	}
	return f, err
}

func TestRepairLooksForRoomFirst(t *testing.T) {
	t.Parallel()
	mem := killed().onto(t)
	_, err := repair(t.Context(), Options{Dir: "data", FS: mem}, Options{Dir: "to", FS: narrowFS{mem}}, nil)
	if err == nil || !strings.Contains(err.Error(), "has 1000 bytes free, the repair needs") {
		t.Errorf("got %v, want the free space", err)
	}
}

// narrowFS has little free space.
type narrowFS struct{ vfs.FS }

func (narrowFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: 1000}, nil
}

func TestRepairEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"reading", "writing", "checking the result, opening"} {
		mem := killed().onto(t)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := repair(ctx, Options{Dir: "data", FS: mem}, Options{Dir: "to", FS: mem}, func(p RepairProgress) {
			if p.Step == step {
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("in %s: got %v, want %v", step, err, context.Canceled)
		}
		if names, err := mem.List("to"); err != nil || len(names) > 0 {
			t.Errorf("in %s: the target has %q, %v, want nothing", step, names, err)
		}
	}
}
