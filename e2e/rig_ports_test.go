package e2e

// Ports that a server keeps when it is killed and started again.

import (
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
)

// The ports lie below the range from which systems take those of outgoing
// connections, so that no other process gets one while its server is down. Each is handed out
// once in a run, and runs of several processes begin at different places.
const (
	firstPort = 16_000
	manyPorts = 12_000
)

var ports atomic.Int64

func init() { ports.Store(int64(os.Getpid()) * 131) }

// listen listens on a port that was free.
func listen(t testing.TB) (net.Listener, int) {
	t.Helper()
	for range manyPorts {
		port := firstPort + int(ports.Add(1)%manyPorts)
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return l, port
		}
	}
	t.Fatal("no port is free")
	return nil, 0
}

// freePort is a port for a server in another process.
func freePort(t testing.TB) int {
	t.Helper()
	l, port := listen(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}
