//go:build unix

// File pending_unix.go looks for a connection in the queue of a listener, without a descriptor.

package descriptor

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Pending reports whether a connection waits to be accepted from ln. Linux takes a descriptor for
// it before it looks, so that Accept fails without a free descriptor also when there is none.
// Of a listener that cannot be asked, Pending reports true.
func Pending(ln net.Listener) bool {
	c, ok := ln.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	pending := true
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} // #nosec G115 -- a descriptor is an int of C
		n, err := unix.Poll(fds, 0)
		pending = n > 0 || err != nil
	})
	return pending || err != nil
}
