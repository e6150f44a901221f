//go:build !linux

package embedded

import (
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// lockFile and shareFile use the lock of Pebble. It makes the file when it is missing, and
// empties it, which changes nothing as it is always empty.
func lockFile(name string) (io.Closer, error)  { return vfs.Default.Lock(name) }
func shareFile(name string) (io.Closer, error) { return vfs.Default.Lock(name) }

// lockHeld reports whether a worker has locked a file. It takes the lock for a moment, and a worker
// that starts in that moment tries again.
func lockHeld(name string) (bool, error) {
	if _, err := os.Stat(name); err != nil {
		return false, err
	}
	lock, err := vfs.Default.Lock(name)
	if err != nil {
		return true, nil
	}
	return false, lock.Close()
}
