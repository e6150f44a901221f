package broker

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// acceptPause keeps the accept loop from spinning while the process has no file
// descriptor left. It is also the longest that shut may wait for the loop.
const acceptPause = 100 * time.Millisecond

// lastAcks is how long a connection that is cut can still be told what became of
// the messages that were read from it.
const lastAcks = 100 * time.Millisecond

// door is the listener of publishers. Each of its connections is carried to a
// connection in the process, and back.
//
// Goroutines: one accepts, two carry per connection. All end with shut, which
// waits for them.
type door struct {
	log *slog.Logger
	// address is what was asked for until the first listen, then what it came to,
	// so that the port stays the same over a pause.
	address string

	mu    sync.Mutex
	ln    net.Listener // nil while shut
	conns map[net.Conn]struct{}

	busy sync.WaitGroup
}

// listen takes the port. Nothing is accepted before open.
func listen(address string, log *slog.Logger) (*door, error) {
	d := &door{log: log, address: address, conns: make(map[net.Conn]struct{})}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; free the port or choose another stan_listen_address", address, err)
	}
	d.ln, d.address = ln, ln.Addr().String()
	return d, nil
}

// url names the address that a client on this machine can dial.
func (d *door) url() string {
	host, port, err := net.SplitHostPort(d.address)
	if err != nil {
		return "nats://" + d.address
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip.To4() == nil {
			host = "::1"
		}
	}
	return "nats://" + net.JoinHostPort(host, port)
}

// open accepts connections on the port that listen took.
func (d *door) open(ns *natsserver.Server) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ln != nil {
		ln := d.ln
		d.busy.Go(func() { d.accept(ln, ns) })
	}
}

// reopen listens again after shut.
func (d *door) reopen(ns *natsserver.Server) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ln != nil {
		return nil
	}
	ln, err := net.Listen("tcp", d.address)
	if err != nil {
		return fmt.Errorf("open the embedded door again: %w", err)
	}
	d.ln = ln
	d.busy.Go(func() { d.accept(ln, ns) })
	return nil
}

// shut stops listening, reads nothing more, lets the answers to what was read go
// out, cuts all connections and waits for their goroutines.
func (d *door) shut() {
	d.mu.Lock()
	if d.ln != nil {
		_ = d.ln.Close()
		d.ln = nil
	}
	for c := range d.conns {
		_ = c.SetReadDeadline(time.Now())
	}
	d.mu.Unlock()
	d.busy.Wait()
}

func (d *door) accept(ln net.Listener, ns *natsserver.Server) {
	for {
		c, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			d.log.Warn("a connection to the embedded door could not be accepted", "error", err)
			time.Sleep(acceptPause)
			continue
		}
		if !d.keep(ln, c) {
			_ = c.Close()
			return
		}
		d.busy.Go(func() { d.carry(c, ns) })
	}
}

// keep notes a connection so that shut can cut it; false: the door was shut meanwhile.
func (d *door) keep(ln net.Listener, c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ln != ln {
		return false
	}
	d.conns[c] = struct{}{}
	return true
}

// carry copies both ways until either end closes, or shut ends the reading.
func (d *door) carry(c net.Conn, ns *natsserver.Server) {
	defer func() {
		_ = c.Close()
		d.mu.Lock()
		delete(d.conns, c)
		d.mu.Unlock()
	}()
	in, err := ns.InProcessConn()
	if err != nil {
		d.log.Warn("a connection to the embedded door could not be served", "error", err)
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(c, in) // ends when the server or the client hangs up, which is no error
		_ = c.Close()
	})
	if _, err = io.Copy(in, c); errors.Is(err, os.ErrDeadlineExceeded) {
		time.Sleep(lastAcks)
	}
	_ = in.Close()
	_ = c.Close()
	back.Wait()
}
