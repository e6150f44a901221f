// File lock_linux.go locks a file with an open file description lock. Unlike a record lock
// of POSIX, it holds within one process too, and closing another descriptor of the file does
// not end it. The two kinds exclude each other, so that workers of earlier versions are seen.

package embedded

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// F_OFD_GETLK and F_OFD_SETLK, the same numbers on every architecture of Linux.
const (
	ofdGetLock = 36
	ofdSetLock = 37
)

// lockFile locks a file for one worker, and makes it when it is missing.
func lockFile(name string) (io.Closer, error) {
	return lockWith(name, os.O_RDWR|os.O_CREATE, syscall.F_WRLCK)
}

// shareFile locks a file for a reader, beside which no worker can start.
func shareFile(name string) (io.Closer, error) { return lockWith(name, os.O_RDONLY, syscall.F_RDLCK) }

func lockWith(name string, flags int, kind int16) (io.Closer, error) {
	f, err := openLock(name, flags)
	if err != nil {
		return nil, err
	}
	spec := syscall.Flock_t{Type: kind, Whence: io.SeekStart}
	if err := eitherLock(f, ofdSetLock, syscall.F_SETLK, &spec); err != nil {
		return nil, closing(err, f)
	}
	return f, nil
}

// lockHeld reports whether a worker has locked a file. It takes no lock itself, so that a worker
// can start at any time.
func lockHeld(name string) (bool, error) {
	f, err := openLock(name, os.O_RDONLY)
	if err != nil {
		return false, err
	}
	spec := syscall.Flock_t{Type: syscall.F_RDLCK, Whence: io.SeekStart}
	err = eitherLock(f, ofdGetLock, syscall.F_GETLK, &spec)
	return spec.Type != syscall.F_UNLCK, closing(err, f)
}

func openLock(name string, flags int) (*os.File, error) {
	return os.OpenFile(name, flags|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600) // #nosec G304 -- LOCK in data_dir
}

// eitherLock uses the lock of an open file description, or one of POSIX, as some sandboxes know only these.
func eitherLock(f *os.File, ofd, posix int, spec *syscall.Flock_t) error {
	err := syscall.FcntlFlock(f.Fd(), ofd, spec)
	if errors.Is(err, syscall.EINVAL) {
		err = syscall.FcntlFlock(f.Fd(), posix, spec)
	}
	return err
}
