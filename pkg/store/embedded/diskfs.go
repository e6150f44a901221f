// File diskfs.go has the file system that Pebble writes to: another one, with every write
// checked by disk. Reads pass unchanged, except of tables that are known to be damaged.

package embedded

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// watchedFS is a file system whose writes succeed, wait or stand still.
type watchedFS struct {
	vfs.FS
	disk *disk
}

func (f watchedFS) Unwrap() vfs.FS { return f.FS }

func (f watchedFS) open(try func() (vfs.File, error)) (vfs.File, error) {
	var file vfs.File
	f.disk.write(func() (err error) { file, err = try(); return err })
	return watchedFile{file, f.disk}, nil
}

// Open opens a file for reading. The blocks of a table are verified once Pebble has found
// damage in it: see verify.go.
func (f watchedFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.Open(name, o...)
	if err != nil || !isTable(name) {
		return file, err
	}
	base := f.PathBase(name)
	return verified(file, base, func() bool {
		_, is := f.disk.suspects.Load(base)
		return is
	})
}

// Create syncs the folder before it makes one of Pebble's markers. A marker
// names a file that has been synced, but whose entry in the folder may not have
// been; after a power cut between the two the store could not be opened.
func (f watchedFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(f.PathBase(name), "marker.") {
		f.disk.sync(func() error { return syncFolder(f.FS, f.PathDir(name)) }) // f.FS waits for a descriptor
	}
	return f.open(func() (vfs.File, error) { return f.FS.Create(name, c) })
}

func (f watchedFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return f.open(func() (vfs.File, error) { return f.FS.OpenReadWrite(name, c, o...) })
}

// ReuseForWrite is two steps, each of which may have to wait for room.
func (f watchedFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.Rename(oldname, newname); err != nil {
		return nil, err
	}
	return f.OpenReadWrite(newname, c)
}

func (f watchedFS) OpenDir(name string) (vfs.File, error) {
	return f.open(func() (vfs.File, error) { return f.FS.OpenDir(name) })
}

func (f watchedFS) Link(oldname, newname string) error {
	f.disk.write(func() error { return f.FS.Link(oldname, newname) })
	return nil
}

func (f watchedFS) Rename(oldname, newname string) error {
	f.disk.write(func() error { return f.FS.Rename(oldname, newname) })
	return nil
}

// Remove may fail: a file that is left behind is removed at the next start.
func (f watchedFS) Remove(name string) (err error) {
	f.disk.sync(func() error { err = f.FS.Remove(name); return nil })
	return err
}

// watchedFile is a file, opened for writing, of a watchedFS.
type watchedFile struct {
	vfs.File
	disk *disk
}

func (f watchedFile) Write(p []byte) (int, error) {
	done := 0
	f.disk.write(func() error {
		n, err := f.File.Write(p[done:])
		done += n
		return err
	})
	return done, nil
}

func (f watchedFile) WriteAt(p []byte, off int64) (int, error) {
	done := 0
	f.disk.write(func() error {
		n, err := f.File.WriteAt(p[done:], off+int64(done))
		done += n
		return err
	})
	return done, nil
}

func (f watchedFile) Sync() error     { f.disk.sync(f.File.Sync); return nil }
func (f watchedFile) SyncData() error { f.disk.sync(f.File.SyncData); return nil }

func (f watchedFile) SyncTo(length int64) (full bool, err error) {
	f.disk.sync(func() error { full, err = f.File.SyncTo(length); return err })
	return full, nil
}

// Close reports what a network file system noticed too late. That a file is
// closed already is no matter of the disk.
func (f watchedFile) Close() (err error) {
	f.disk.sync(func() error {
		if err = f.File.Close(); errors.Is(err, fs.ErrClosed) {
			return nil
		}
		return err
	})
	return err
}
