// Package descriptor accounts for file descriptors: the limit of the process, how much of it a
// listener may use, and which errors mean that it is exhausted.
//
// The package opens nothing and closes nothing.
package descriptor

import (
	"errors"
	"net"
	"strings"
	"syscall"
)

// exhausted are the errors of a kernel without a free descriptor, in the process or in the
// whole system, or without a buffer for a socket.
var exhausted = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS}

// Exhausted reports whether an operation failed because no descriptor or no buffer was free. Of a
// failed name lookup only the text says so.
func Exhausted(err error) bool {
	dns, lookup := errors.AsType[*net.DNSError](err)
	for _, e := range exhausted {
		if errors.Is(err, e) || lookup && strings.Contains(dns.Err, e.Error()) {
			return true
		}
	}
	return false
}
