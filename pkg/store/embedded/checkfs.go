// File checkfs.go is the file system under a check: nothing can be written through it, it
// ends with the check's context, and it knows which file was read last.

package embedded

import (
	"context"
	"io/fs"
	"os"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/descriptor"
)

// checkFS is a file system for reading only.
type checkFS struct {
	vfs.FS
	steps *steps
	end   context.CancelCauseFunc // ends the check: a file that cannot be opened is not damaged by that
}

// steps tell an onlooker how far the check has come.
type steps struct {
	ended func() error // why nothing may be read any more, nil while it may
	count atomic.Int64 // rises while there is progress
	bytes atomic.Int64 // that were read
	file  atomic.Pointer[string]
}

// lastFile is the file that was opened or read last, "" for none.
func (s *steps) lastFile() string {
	if p := s.file.Load(); p != nil {
		return *p
	}
	return ""
}

func newCheckFS(ctx context.Context, under vfs.FS, end context.CancelCauseFunc) checkFS {
	return checkFS{under, &steps{ended: func() error { return context.Cause(ctx) }}, end}
}

// exhausted ends the check when no descriptor was free for a file.
func (f checkFS) exhausted(err error) error {
	if descriptor.Exhausted(err) {
		f.end(err)
	}
	return err
}

func (f checkFS) List(dir string) ([]string, error) {
	names, err := f.FS.List(dir)
	return names, f.exhausted(err)
}

func (f checkFS) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	return file, f.exhausted(err)
}

func (f checkFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	base := f.PathBase(name)
	f.steps.file.Store(&base)
	f.steps.count.Add(1)
	if err := f.steps.ended(); err != nil {
		return nil, err
	}
	file, err := f.FS.Open(name, o...)
	if err != nil {
		return nil, f.exhausted(err)
	}
	file = checkFile{file, f.steps, &base}
	if isTable(name) {
		return verified(file, base, func() bool { return true })
	}
	return file, nil
}

// refuse is the answer to everything that would change the folder.
func refuse(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrPermission} }

func (f checkFS) Create(name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, refuse("create", name)
}

func (f checkFS) OpenReadWrite(name string, _ vfs.DiskWriteCategory, _ ...vfs.OpenOption) (vfs.File, error) {
	return nil, refuse("open", name)
}

func (f checkFS) ReuseForWrite(_, name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, refuse("reuse", name)
}

func (f checkFS) Link(_, name string) error                 { return refuse("link", name) }
func (f checkFS) Remove(name string) error                  { return refuse("remove", name) }
func (f checkFS) RemoveAll(name string) error               { return refuse("remove", name) }
func (f checkFS) Rename(_, name string) error               { return refuse("rename", name) }
func (f checkFS) MkdirAll(name string, _ os.FileMode) error { return refuse("mkdir", name) }

// checkFile is a file of a checkFS.
type checkFile struct {
	vfs.File
	steps *steps
	name  *string
}

// step counts a read, and returns an error when there may be no more.
func (f checkFile) step() error {
	f.steps.file.Store(f.name)
	f.steps.count.Add(1)
	return f.steps.ended()
}

func (f checkFile) Read(p []byte) (int, error) {
	if err := f.step(); err != nil {
		return 0, err
	}
	n, err := f.File.Read(p)
	f.steps.bytes.Add(int64(n))
	return n, err
}

func (f checkFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.step(); err != nil {
		return 0, err
	}
	n, err := f.File.ReadAt(p, off)
	f.steps.bytes.Add(int64(n))
	return n, err
}
