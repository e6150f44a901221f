// File gate.go bounds the bytes that the client library has read from the connection and not
// yet delivered.

package intake

import (
	"net"
	"sync"
	"time"

	"github.com/nats-io/stan.go"
)

// readAhead is that bound. One more message may pass it. Beyond it nothing is read from the
// connection, so the rest waits in the buffers of the kernel and of the server. The library's
// own limit would drop messages instead.
const readAhead = 1 << 20

// gatePoll is how often a closed gate looks again: delivering does not block, and empties
// readAhead within about a millisecond.
const gatePoll = time.Millisecond

// unread counts the bytes that wait in the subscriptions of a session.
type unread struct {
	mu   sync.Mutex
	subs []stan.Subscription
}

func (u *unread) add(s stan.Subscription) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.subs = append(u.subs, s)
}

func (u *unread) clear() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.subs = nil
}

// bytes is their number. A subscription that has ended has none.
func (u *unread) bytes() (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, s := range u.subs {
		if _, b, err := s.Pending(); err == nil {
			n += b
		}
	}
	return n
}

// limit makes a gate that is open while fewer bytes than most wait.
func (u *unread) limit(most int) gate {
	return func() bool { return u.bytes() < most }
}

// gate reports whether more may be read from a connection.
type gate func() bool

// gatedConn reads only while its gate is open.
type gatedConn struct {
	net.Conn
	open gate

	closing sync.Once
	closed  chan struct{}
}

func (g gate) guard(c net.Conn) net.Conn {
	return &gatedConn{Conn: c, open: g, closed: make(chan struct{})}
}

// Read implements net.Conn.
func (c *gatedConn) Read(p []byte) (int, error) {
	for !c.open() {
		select {
		case <-time.After(gatePoll):
		case <-c.closed:
			return 0, net.ErrClosed
		}
	}
	return c.Conn.Read(p)
}

// Close implements net.Conn.
func (c *gatedConn) Close() error {
	c.closing.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// gatedDialer dials connections that have a gate.
type gatedDialer struct{ gate }

// Dial implements nats.CustomDialer.
func (d gatedDialer) Dial(network, address string) (net.Conn, error) {
	c, err := net.DialTimeout(network, address, connectWait) //nolint:noctx // the interface has no context
	if err != nil {
		return nil, err
	}
	return d.guard(c), nil
}

// gatedServer makes connections in the process that have a gate.
type gatedServer struct {
	Embedded
	gate
}

// InProcessConn implements nats.InProcessConnProvider.
func (d gatedServer) InProcessConn() (net.Conn, error) {
	c, err := d.Embedded.InProcessConn()
	if err != nil {
		return nil, err
	}
	return d.guard(c), nil
}
