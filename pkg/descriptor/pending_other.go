//go:build !unix

package descriptor

import "net"

// Pending returns true: it is unknown on this system whether a connection waits to be accepted.
func Pending(net.Listener) bool { return true }
