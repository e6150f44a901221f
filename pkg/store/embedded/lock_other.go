//go:build !linux

package embedded

import (
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// lockFile and shareFile use the lock of Pebble. It makes the file when it is missing, and
// empties it, which changes nothing as it is always empty.
func lockFile(name string) (io.Closer, error)  { return vfs.Default.Lock(name) }
func shareFile(name string) (io.Closer, error) { return vfs.Default.Lock(name) }
