//go:build !unix

package invoke

import "net"

const canPeek = false

func isQuiet(net.Conn) bool { return true }
