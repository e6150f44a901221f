// File plainfs.go is the operating system's file system as the store uses it: no symbolic
// link below data_dir is followed, and the lock truncates nothing.

package embedded

import (
	"errors"
	"io"
	"io/fs"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/datadir"
)

// plainFS refuses to open what is neither a file nor a folder. datadir.Check has done so
// for everything that was there at the start; this is for what is put there later.
type plainFS struct{ vfs.FS }

func (f plainFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	return ifPlain(name, func() (vfs.File, error) { return f.FS.Open(name, o...) })
}

func (f plainFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return ifPlain(name, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, c, o...) })
}

func (f plainFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return ifPlain(name, func() (vfs.File, error) { return f.FS.Create(name, c) })
}

// Lock takes the lock of a worker. The file is made when it is missing.
func (f plainFS) Lock(name string) (io.Closer, error) {
	if err := datadir.CheckFile(name); err != nil {
		return nil, err
	}
	return lockFile(name)
}

func ifPlain(name string, open func() (vfs.File, error)) (vfs.File, error) {
	if err := datadir.CheckFile(name); err != nil {
		return nil, err
	}
	return open()
}

// visitorFS locks a store for a reader. Nothing is written for that: a
// missing lock file stays missing, as no worker can be using the store then.
type visitorFS struct{ plainFS }

func (f visitorFS) Lock(name string) (io.Closer, error) {
	if err := datadir.CheckFile(name); err != nil {
		return nil, err
	}
	lock, err := shareFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(nil), nil
	}
	return lock, err
}

// onlookerFS is for a reader beside which a worker may start: it locks nothing, and finds a folder locked
// that a worker has.
type onlookerFS struct{ plainFS }

func (f onlookerFS) Lock(name string) (io.Closer, error) {
	if err := datadir.CheckFile(name); err != nil {
		return nil, err
	}
	held, err := lockHeld(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return io.NopCloser(nil), nil
	case err != nil:
		return nil, err
	case held:
		return nil, syscall.EAGAIN
	}
	return io.NopCloser(nil), nil
}

// visit returns ErrLocked when a worker has the folder of a store.
func visit(dir string) error {
	lock, err := lockDirectory(onlookerFS{plainFS{vfs.Default}}, dir)
	if err != nil {
		return err
	}
	return lock.Close()
}
