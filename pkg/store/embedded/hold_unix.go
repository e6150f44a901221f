//go:build unix

// File hold_unix.go maps the in-flight file into memory, so that a marker costs no system call.

package embedded

import (
	"runtime/debug"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// mapFile maps the first size bytes of a file, which has them already. It returns nil where that is
// not possible, as for a file in memory.
func mapFile(f vfs.File, size int) []byte {
	fd := f.Fd()
	if fd == vfs.InvalidFd || size == 0 {
		return nil
	}
	b, err := syscall.Mmap(int(fd), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED) // #nosec G115 -- a descriptor
	if err != nil {
		return nil
	}
	return b
}

func unmapFile(b []byte) error { return syscall.Munmap(b) }

// writeMapped copies b to the mapped bytes at off. It reports false when the file system could not
// provide the page: a write to a mapped file has no other way to fail than a fault.
func writeMapped(mapped []byte, off int, b []byte) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { ok = recover() == nil }()
	copy(mapped[off:off+len(b)], b)
	return
}
