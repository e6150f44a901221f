package invoke

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"syscall"
)

// The connections under the pool: each counts what is written to it, which is how
// one knows for certain that a failed request never left.

var errDialTimeout = errors.New("no connection in time")

// conn counts the bytes that went out.
type conn struct {
	net.Conn
	written atomic.Int64
}

// counted makes dial bounded in time and its connections counting. The bound is
// set here because net/http takes the deadline of the call off a dial's context:
// another call may use the connection.
func counted(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, dialTimeout, errDialTimeout)
		defer cancel()
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: c}, nil
	}
}

// Write counts what it writes.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// SyscallConn implements syscall.Conn, for isQuiet.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// copyBuffers holds the buffers through which bodies pass.
var copyBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// ReadFrom passes a body on through a pooled buffer; without it net/http makes a
// new one for every call.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	buf := copyBuffers.Get().(*[32 << 10]byte)
	defer copyBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{c}, r, buf[:])
}

// usage is what one request did with its connection.
type usage struct {
	conn   *conn
	reused bool
	before int64 // bytes that were written to conn when the request got it
}

// trace fills u when a request gets its connection. net/http calls it on the
// goroutine of RoundTrip.
func (u *usage) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		*u = usage{reused: i.Reused}
		under := i.Conn
		if t, ok := under.(*tls.Conn); ok {
			under = t.NetConn()
		}
		if c, ok := under.(*conn); ok {
			u.conn, u.before = c, c.written.Load()
		}
	}}
}

// wrote reports whether something of the request was written. It is asked when unwritten is.
func (u *usage) wrote() bool { return u.conn != nil && u.conn.written.Load() != u.before }

// unwritten reports that the request got a connection which had served before and
// of which nothing was written any more. It is asked after RoundTrip has failed,
// when its goroutine that writes has ended.
func (u *usage) unwritten() bool {
	return u.reused && u.conn != nil && !u.wrote()
}
