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

// ofdSetLock is F_OFD_SETLK, the same number on every architecture of Linux.
const ofdSetLock = 37

// lockFile locks a file for one worker, and makes it when it is missing.
func lockFile(name string) (io.Closer, error) {
	return lockWith(name, os.O_RDWR|os.O_CREATE, syscall.F_WRLCK)
}

// shareFile locks a file for a reader, beside which no worker can start.
func shareFile(name string) (io.Closer, error) { return lockWith(name, os.O_RDONLY, syscall.F_RDLCK) }

func lockWith(name string, flags int, kind int16) (io.Closer, error) {
	f, err := os.OpenFile(name, flags|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600) // #nosec G304 -- LOCK in data_dir
	if err != nil {
		return nil, err
	}
	spec := syscall.Flock_t{Type: kind, Whence: io.SeekStart}
	err = syscall.FcntlFlock(f.Fd(), ofdSetLock, &spec)
	if errors.Is(err, syscall.EINVAL) { // some sandboxes know only the locks of POSIX
		err = syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &spec)
	}
	if err != nil {
		return nil, closing(err, f)
	}
	return f, nil
}
