// File publisher.go is one connection of a publisher: what it sends is parsed and
// checked, and what it may send is forwarded to the server, composed again.
//
//	connection --> accept: parse, check --> server
//	connection <-- outbox <-- deliver <---- server

package stanserver

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	readBuffer  = 32 << 10 // of a connection: most messages fit
	writeBuffer = 32 << 10 // towards the server
	// backBuffer holds the longest line and the longest message to a publisher.
	backBuffer = 8 << 10
	// readTimeout is how long a publisher may be silent in the middle of a command,
	// and before its first one.
	readTimeout = 10 * time.Second
	// maxSubscriptions is how many inboxes one connection may have. The library has four.
	maxSubscriptions = 64
	// maxAnswers is how many heartbeats a publisher can leave unanswered before the
	// oldest can no longer be answered.
	maxAnswers = 128
)

// publisher is one connection. Goroutines: accept runs in the one that calls run,
// deliver and outbox.run in their own; run waits for them.
type publisher struct {
	listener *listener
	conn     net.Conn // to the publisher
	server   net.Conn // in the process
	in       *bufio.Reader
	out      *bufio.Writer
	outbox   *outbox
	opened   time.Time
	heard    atomic.Int64 // when the last byte came, in nanoseconds of the epoch
	known    atomic.Bool  // it has, or had, a client id of NATS Streaming

	// Of accept alone.
	greeted bool   // CONNECT has come
	idle    bool   // between two commands
	text    []byte // the current line

	mu       sync.Mutex
	stopping bool
	subs     []*subscription
	asked    map[string]connecting // connect requests without an answer yet, by reply subject
	beats    []heartbeat           // by number, modulo maxAnswers
	beat     uint64                // the last heartbeat's number
}

// subscription is an inbox of a publisher.
type subscription struct {
	sid, inbox string
	delivered  int
	max        int // 0 for no end
}

// connecting is a client id that the server was asked to connect.
type connecting struct{ id, secret string }

// heartbeat is where the answer to one goes; subject is empty when it was answered.
type heartbeat struct {
	number  uint64
	subject string
}

func newPublisher(d *listener, conn, server net.Conn) *publisher {
	p := &publisher{listener: d, conn: conn, server: server, outbox: newOutbox(conn), opened: time.Now(), asked: make(map[string]connecting)}
	p.in = bufio.NewReaderSize(patient{p}, readBuffer)
	p.out = bufio.NewWriterSize(server, writeBuffer)
	p.heard.Store(p.opened.UnixNano())
	return p
}

// run serves the connection until either side hangs up, the publisher breaks the
// protocol, or stop.
func (p *publisher) run() {
	var back sync.WaitGroup
	back.Go(p.outbox.run)
	back.Go(p.deliver)
	p.end(p.accept())
	back.Wait()
	p.listener.uploads.done(p)
	p.listener.clients.ended(p)
}

// end closes the connection to the server, which ends deliver, which ends the outbox.
func (p *publisher) end(err error) {
	_ = p.out.Flush()
	var v violation
	switch {
	case p.isStopping():
		time.Sleep(lastAcks)
	case errors.As(err, &v):
		_ = p.outbox.send([]byte("-ERR '" + v.Error() + "'\r\n"))
		p.listener.refused(p, v.Error())
	}
	_ = p.server.Close()
}

// stop ends the reading, so that run returns soon.
func (p *publisher) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopping = true
	_ = p.conn.SetReadDeadline(time.Now())
}

func (p *publisher) isStopping() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopping
}

func (p *publisher) heardSince(t time.Time) bool { return p.heard.Load() > t.UnixNano() }

// isExpendable reports whether p is cut off rather than another publisher.
func (p *publisher) isExpendable(other *publisher) bool {
	if p.known.Load() != other.known.Load() {
		return other.known.Load()
	}
	return p.heard.Load() < other.heard.Load()
}

// patient reads from the connection. Before it waits, the server gets what was
// checked by then, so that many small commands are one write.
type patient struct{ *publisher }

func (p patient) Read(b []byte) (int, error) {
	if err := p.out.Flush(); err != nil {
		return 0, err
	}
	if err := p.limit(); err != nil {
		return 0, err
	}
	n, err := p.conn.Read(b)
	if n > 0 {
		p.heard.Store(time.Now().UnixNano())
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && !p.isStopping() {
		err = errTooSlow
	}
	return n, err
}

// limit sets how long the next read may take. Between commands a connection may be
// silent: the server looks after it.
func (p patient) limit() error {
	by := time.Now().Add(readTimeout)
	switch {
	case !p.greeted:
		by = p.opened.Add(readTimeout)
	case p.idle:
		by = time.Time{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		return os.ErrDeadlineExceeded
	}
	return p.conn.SetReadDeadline(by)
}

// line reads a command's line, without its end.
func (p *publisher) line() ([]byte, error) {
	p.idle = true
	_, err := p.in.Peek(1)
	p.idle = false
	if err != nil {
		return nil, err
	}
	line, err := p.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) || len(line) > maxLine+2 {
		return nil, errLine
	}
	if err != nil {
		return nil, err
	}
	p.text = append(p.text[:0], trimEnd(line)...)
	return p.text, nil
}

// trimEnd takes the line end off.
func trimEnd(line []byte) []byte {
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}

// payload reads n bytes and the line end behind them, which stays. What is returned
// is valid until the next read; release must follow.
func (p *publisher) payload(n int) ([]byte, error) {
	n += 2
	var b []byte
	var err error
	if n <= readBuffer {
		if b, err = p.in.Peek(n); err != nil {
			return nil, err
		}
		_, _ = p.in.Discard(n) // they are there
	} else if b, err = p.upload(n); err != nil {
		return nil, err
	}
	if b[n-2] != '\r' || b[n-1] != '\n' {
		return nil, errUnknown
	}
	return b, nil
}

// firstRoom is what a large payload takes at first: those of a gateway fit.
const firstRoom = 512 << 10

// upload reads a large payload, in a buffer that grows as the bytes arrive.
func (p *publisher) upload(n int) ([]byte, error) {
	have, b := 0, []byte(nil)
	for have < n {
		room := min(max(2*have, firstRoom), n)
		p.listener.uploads.grow(p, room-have)
		b = append(make([]byte, 0, room), b...)[:room]
		got, err := io.ReadFull(p.in, b[have:])
		have += got
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// skip reads a payload that is not wanted.
func (p *publisher) skip(n int) error {
	_, err := p.in.Discard(n)
	if err != nil {
		return err
	}
	_, err = p.payload(0)
	return err
}
