// Package listen bounds the connections of a listener, so that clients which connect and stay
// silent cannot use up the file descriptors of the process.
//
// At the limit, the connection that has been idle longest is closed for the new one. Idle means
// that no byte came or went. A server that knows more marks connections with a request in
// progress as busy (see Listener.Busy): these are closed only when no other is left.
//
// The package does not know what is spoken over a connection, and sets no deadlines.
package listen

import (
	"container/list"
	"log/slog"
	"net"
	"sync"
	"time"

	"queue-worker/pkg/descriptor"
)

const (
	// warnPeriod is the shortest time between two warnings that the limit was reached.
	warnPeriod = time.Minute
	// acceptPause is the time between two tries to accept a connection without a free descriptor.
	acceptPause = 100 * time.Millisecond
)

// Listener accepts connections and keeps at most a fixed number of them open.
type Listener struct {
	net.Listener
	limit       int
	log         *slog.Logger
	descriptors *descriptor.Monitor

	mu     sync.Mutex
	idle   *list.List // of *conn, the one that has been idle longest first
	busy   *list.List // the same for connections with a request in progress
	warned time.Time
}

// Cap returns a listener that accepts the connections of ln and has at most limit of them open.
// It logs when the limit is reached, at most once a minute; a nil logger logs nothing. The monitor
// logs when no descriptor is free for a connection. Close closes ln and no connection.
func Cap(ln net.Listener, limit int, logger *slog.Logger, m *descriptor.Monitor) *Listener {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Listener{Listener: ln, limit: limit, log: logger, descriptors: m, idle: list.New(), busy: list.New()}
}

// Accept waits for the next connection. At the limit it closes another one for it. Without a free
// descriptor in the process it closes an idle one for a connection that is pending, or waits when
// none is idle.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		switch {
		case err == nil:
			return l.add(c), nil
		case !descriptor.Exhausted(err):
			return nil, err
		}
		if descriptor.Pending(l.Listener) {
			l.descriptors.Note(err)
			if l.evict(false) {
				continue
			}
		}
		time.Sleep(acceptPause) // ends with an error of Accept when the listener was closed
	}
}

// add makes room for a connection and tracks it.
func (l *Listener) add(inner net.Conn) *conn {
	for l.Len() >= l.limit && l.evict(true) {
		l.warn()
	}
	c := &conn{Conn: inner, of: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	c.in = l.idle
	c.at = c.in.PushBack(c)
	return c
}

// evict closes the connection that has been idle longest, and reports whether there was one. One
// with a request in progress is closed only if busy is set and no other is left.
func (l *Listener) evict(busy bool) bool {
	l.mu.Lock()
	e := l.idle.Front()
	if e == nil && busy {
		e = l.busy.Front()
	}
	l.mu.Unlock()
	if e == nil {
		return false
	}
	_ = e.Value.(*conn).Close() // it is of no use any more
	return true
}

func (l *Listener) warn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.warned.IsZero() || now.Sub(l.warned) >= warnPeriod {
		l.warned = now
		l.log.Warn("connection limit reached, closing idle connections", "address", l.Addr().String(), "limit", l.limit)
	}
}

// Len returns the number of open connections.
func (l *Listener) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.idle.Len() + l.busy.Len()
}

// Busy sets whether a request is in progress on a connection that Accept returned. A new
// connection is not busy. Any other connection is ignored.
func (l *Listener) Busy(c net.Conn, busy bool) {
	t, ok := c.(*conn)
	if !ok || t.of != l {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.at == nil {
		return
	}
	t.in.Remove(t.at)
	if t.in = l.idle; busy {
		t.in = l.busy
	}
	t.at = t.in.PushBack(t)
}

// conn is a tracked connection.
type conn struct {
	net.Conn
	of *Listener

	// guarded by of.mu
	in *list.List
	at *list.Element // nil once closed
}

// Read reads, and what came ends the idle time.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.touch()
	}
	return n, err
}

// Write writes, and what went ends the idle time.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.touch()
	}
	return n, err
}

func (c *conn) touch() {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.at != nil {
		c.in.MoveToBack(c.at)
	}
}

// CloseWrite lets net/http send the last answer of a connection before it is reset.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close closes the connection and makes room for another one.
func (c *conn) Close() error {
	c.of.mu.Lock()
	if c.at != nil {
		c.in.Remove(c.at)
		c.at = nil
	}
	c.of.mu.Unlock()
	return c.Conn.Close()
}
