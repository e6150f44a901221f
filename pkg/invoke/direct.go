// File direct.go sends small requests over connections of its own: one write for a request, one read
// for most answers, and no goroutine beside the caller's. That costs half of what net/http needs, whose
// connections have two goroutines each. The answer is parsed by net/http all the same, so that both ways agree on
// what a good answer is.

package invoke

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"queue-worker/pkg/descriptor"
)

// direct is the pool of connections to the gateway for requests with small bodies over plain HTTP. Its
// connections come from the transport's dialer. It is safe for use by many goroutines.
//
//	take: the connection used last ---> roundTrip ---> put, when the answer was read to its end
//	      or a new one                            \--> closed otherwise
type direct struct {
	transport *http.Transport // dials
	address   string
	room      chan struct{} // holds one for each connection in use; nil for no bound

	mu     sync.Mutex
	idle   []*directConn // the one used last at the end
	timer  *time.Timer   // closes idle connections; nil while there are none
	closed bool
}

// directConn is one connection. It has one user at a time.
type directConn struct {
	net.Conn
	in     *bufio.Reader // reads the connection through Read
	out    []byte        // the request as it is written; kept to be used again
	left   int64         // bytes that may still be read
	reused bool
	idle   time.Time // since when
}

// bufferSize is how much of an answer one read takes in, in bytes. The answers of most functions fit.
const bufferSize = 4 << 10

var errHeaderTooLong = errors.New("response headers exceeded the limit")

// newDirect makes a pool for a gateway over plain HTTP at an address with a port, with at
// most so many connections in use; 0 for no bound.
func newDirect(t *http.Transport, address string, most int) *direct {
	d := &direct{transport: t, address: address}
	if most > 0 {
		d.room = make(chan struct{}, most)
	}
	return d
}

// send sends the request of e and returns the answer, whose body has to be closed. Like
// exchange.send, it sends again only what never left.
func (d *direct) send(ctx context.Context, e *exchange) (*http.Response, error) {
	if err := d.enter(ctx); err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		c, err := d.take(ctx)
		if err != nil {
			d.exit()
			if err = descriptor.OnTheWayToGateway(err); descriptor.Exhausted(err) {
				return nil, unsent{err}
			}
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		resp, written, err := c.roundTrip(e)
		if err == nil {
			resp.Body = &directBody{ReadCloser: resp.Body, pool: d, conn: c, stop: stop, keep: !resp.Close && resp.StatusCode >= http.StatusOK}
			return resp, nil
		}
		stop()
		_ = c.Close()
		if !written && descriptor.Exhausted(err) {
			d.exit()
			return nil, unsent{err}
		}
		if written || !c.reused || n == maxResends || ctx.Err() != nil {
			d.exit()
			return nil, err
		}
	}
}

// enter waits until one more connection may be in use, and exit ends that use.
func (d *direct) enter(ctx context.Context) error {
	if d.room == nil {
		return nil
	}
	select {
	case d.room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *direct) exit() {
	if d.room != nil {
		<-d.room
	}
}

// roundTrip writes the request of e and reads the header of the answer. written reports whether
// anything may have left.
func (c *directConn) roundTrip(e *exchange) (_ *http.Response, written bool, _ error) {
	out, err := appendBody(e.head.appendTo(c.out[:0], e.request.BodyLen()), e.request)
	c.out = out
	if err != nil {
		return nil, false, err
	}
	n, err := c.Write(c.out)
	if err != nil {
		return nil, n > 0, err
	}
	c.left = maxResponseHeader
	for {
		resp, err := http.ReadResponse(c.in, postRequest)
		switch {
		case err != nil && c.left <= 0: // whatever the parser makes of a line that was cut
			return nil, true, errHeaderTooLong
		case err != nil:
			return nil, true, err
		case resp.StatusCode >= http.StatusOK, resp.StatusCode < 100, resp.StatusCode == http.StatusSwitchingProtocols:
			c.left = math.MaxInt64
			return resp, true, nil
		}
		// A 1xx: the answer is still to come.
	}
}

// postRequest is the request to which ReadResponse reads the answer.
var postRequest = &http.Request{Method: http.MethodPost}

// Read reads at most what is left of the limit.
func (c *directConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errHeaderTooLong
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// take returns an idle connection that the other side has not closed, or a new one.
func (d *direct) take(ctx context.Context) (*directConn, error) {
	for {
		c := d.pop()
		if c == nil {
			break
		}
		if time.Since(c.idle) < idleTimeout && c.in.Buffered() == 0 && isQuiet(c.Conn) {
			c.reused = true
			return c, nil
		}
		_ = c.Close()
	}
	under, err := d.transport.DialContext(ctx, "tcp", d.address)
	if err != nil {
		return nil, err
	}
	c := &directConn{Conn: under}
	c.in = bufio.NewReaderSize(c, bufferSize)
	return c, nil
}

func (d *direct) pop() *directConn {
	d.mu.Lock()
	defer d.mu.Unlock()
	last := len(d.idle) - 1
	if last < 0 {
		return nil
	}
	c := d.idle[last]
	d.idle[last] = nil
	d.idle = d.idle[:last]
	return c
}

// put keeps a connection for the next request.
func (d *direct) put(c *directConn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = c.Close()
		return
	}
	c.idle = time.Now()
	d.idle = append(d.idle, c)
	if d.timer == nil {
		d.timer = time.AfterFunc(idleTimeout, d.sweep)
	}
}

// sweep closes the connections that were idle for too long. It runs while there are any.
func (d *direct) sweep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := 0
	for old < len(d.idle) && time.Since(d.idle[old].idle) >= idleTimeout {
		_ = d.idle[old].Close()
		old++
	}
	d.idle = append(d.idle[:0], d.idle[old:]...)
	d.timer = nil
	if len(d.idle) > 0 {
		d.timer = time.AfterFunc(idleTimeout-time.Since(d.idle[0].idle), d.sweep)
	}
}

// close closes the idle connections, and from then on those that calls give back.
func (d *direct) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, c := range d.idle {
		_ = c.Close()
	}
	d.idle = nil
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

// directBody is the body of an answer. Close gives the connection back when all of it was read.
type directBody struct {
	io.ReadCloser
	pool *direct
	conn *directConn
	stop func() bool
	keep bool // the connection may be used again
	read bool // to its end
}

// Read implements io.Reader.
func (b *directBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read = b.read || err == io.EOF
	return n, err
}

// Close implements io.Closer.
func (b *directBody) Close() error {
	if !b.read && b.ReadCloser == http.NoBody {
		b.read = true
	}
	defer b.pool.exit()
	if !b.stop() || !b.keep || !b.read { // or the context has ended, and the deadline of the connection with it
		return b.conn.Close()
	}
	b.pool.put(b.conn)
	return nil
}
