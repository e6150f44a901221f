//go:build unix

package invoke

import (
	"net"
	"syscall"
)

// canPeek reports whether this system can tell that the other side has closed an idle connection.
// Otherwise requests would be sent to it, and count as attempts.
const canPeek = true

// isQuiet reports whether an idle connection is open and has nothing to read. An answer without a request
// for makes it unusable.
func isQuiet(c net.Conn) bool {
	under, ok := c.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := under.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, e := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT) // #nosec G115 -- a descriptor
		quiet = e == syscall.EAGAIN || e == syscall.EINTR
		return true
	})
	return err == nil && quiet
}
