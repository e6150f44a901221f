// File outbox.go holds what a publisher has not read yet, within a bound.

package stanserver

import (
	"net"
	"sync"
	"time"
)

const (
	// maxOutbox is how many bytes may wait for a publisher to read them. A
	// confirmation has about 100, and the library has 16,384 outstanding at most.
	maxOutbox = 4 << 20
	// writeTimeout is how long a publisher may take to read one piece.
	writeTimeout = 10 * time.Second
	// lastWords is how long it may take at the end.
	lastWords = time.Second
)

// outbox writes to a connection beside those who have something to send to it.
type outbox struct {
	conn net.Conn

	mu     sync.Mutex
	wake   *sync.Cond
	next   []byte
	closed bool
}

func newOutbox(conn net.Conn) *outbox {
	o := &outbox{conn: conn}
	o.wake = sync.NewCond(&o.mu)
	return o
}

// send appends parts, all of them or, when they do not fit, none. It does not wait.
func (o *outbox) send(parts ...[]byte) error {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return net.ErrClosed
	}
	if len(o.next)+n > maxOutbox {
		return errConsumer
	}
	for _, p := range parts {
		o.next = append(o.next, p...)
	}
	o.wake.Signal()
	return nil
}

// close lets what was sent go out, for a moment, and ends run.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	_ = o.conn.SetWriteDeadline(time.Now().Add(lastWords))
	o.wake.Signal()
}

// run writes until close, or until the publisher takes nothing more, and closes the
// connection.
func (o *outbox) run() {
	defer o.conn.Close()
	var writing []byte
	for {
		writing = o.take(writing)
		if len(writing) == 0 {
			return
		}
		if _, err := o.conn.Write(writing); err != nil {
			return
		}
	}
}

// take waits for bytes and gives a used buffer back; none means the end.
func (o *outbox) take(used []byte) []byte {
	const keep = 64 << 10
	if cap(used) > keep {
		used = nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.next) == 0 && !o.closed {
		o.wake.Wait()
	}
	taken := o.next
	o.next = used[:0]
	if !o.closed {
		_ = o.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	}
	return taken
}
