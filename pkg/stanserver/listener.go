package stanserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"queue-worker/pkg/descriptor"
)

// acceptPause keeps the accept loop from spinning while the process has no file
// descriptor left. It is also the longest that shut may wait for the loop.
const acceptPause = 100 * time.Millisecond

// lastAcks is how long a connection that is closed may still get the acks of
// the messages that were read from it.
const lastAcks = 100 * time.Millisecond

// tellEvery is how often a refused publisher is worth a line in the log.
const tellEvery = time.Minute

// listener accepts publishers. Each of its connections is checked command by
// command and carried to a connection in the process, and back.
//
// Goroutines: one accepts, three per connection. All end with shut, which waits for
// them.
type listener struct {
	log *slog.Logger
	// address is what was asked for until the first listen, then what it came to,
	// so that the port stays the same over a pause.
	address string

	rights      *rights
	credentials credentials
	maxPayload  int
	most        int // publishers at a time
	clients     *clients
	uploads     *uploads
	descriptors *descriptor.Monitor
	backlog     *backlog

	mu         sync.Mutex
	ln         net.Listener // nil while shut
	publishers map[*publisher]struct{}
	logged     time.Time // when a refusal was last logged
	unlogged   int       // refusals since then

	busy sync.WaitGroup
}

// listen takes the port. Nothing is accepted before open.
func listen(o Options) (*listener, error) {
	d := &listener{
		log: o.Logger, address: o.Listen, publishers: make(map[*publisher]struct{}),
		rights: newRights(o.Cluster, o.Queues, o.WorkerPrefix), credentials: credentials(o.Credentials), maxPayload: o.MaxPayload, most: o.MaxPublishers,
		clients: newClients(), uploads: newUploads(max(maxUploads, 4*o.MaxPayload)), descriptors: o.Descriptors,
		backlog: newBacklog(o.retention),
	}
	ln, err := net.Listen("tcp", d.address) //nolint:noctx // a local address resolves at once
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; free the port or choose another stan_listen_address", d.address, err)
	}
	d.ln, d.address = ln, ln.Addr().String()
	return d, nil
}

// url names the address that a client on this machine can dial.
func (d *listener) url() string {
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
func (d *listener) open(ns *natsserver.Server) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ln != nil {
		ln := d.ln
		d.busy.Go(func() { d.accept(ln, ns) })
	}
}

// reopen listens again after shut.
func (d *listener) reopen(ns *natsserver.Server) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ln != nil {
		return nil
	}
	ln, err := net.Listen("tcp", d.address) //nolint:noctx // a local address resolves at once
	if err != nil {
		return fmt.Errorf("reopen embedded NATS Streaming: %w", err)
	}
	d.ln = ln
	d.busy.Go(func() { d.accept(ln, ns) })
	return nil
}

// shut stops listening, reads nothing more, lets the answers to what was read go
// out, cuts all connections and waits for their goroutines.
func (d *listener) shut() {
	d.mu.Lock()
	if d.ln != nil {
		_ = d.ln.Close()
		d.ln = nil
	}
	for p := range d.publishers {
		p.stop()
	}
	d.mu.Unlock()
	d.busy.Wait()
}

func (d *listener) accept(ln net.Listener, ns *natsserver.Server) {
	for {
		c, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			d.outlast(ln, err)
			continue
		}
		d.serve(ln, c, ns)
	}
}

// outlast returns when the accept loop may try again after an error. Without a free descriptor
// the silent publisher that was heard longest ago is cut off for a connection that is pending.
func (d *listener) outlast(ln net.Listener, err error) {
	if !descriptor.Exhausted(err) {
		d.log.Warn("embedded NATS Streaming: connection not accepted", "error", err)
		time.Sleep(acceptPause)
		return
	}
	if descriptor.Pending(ln) {
		d.descriptors.Note(err)
		if d.cutSilent() {
			return
		}
	}
	time.Sleep(acceptPause)
}

// cutSilent is makeRoom for a connection that finds no free descriptor.
func (d *listener) cutSilent() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.makeRoom(false)
}

// serve begins to serve a connection, unless the listener was closed meanwhile.
func (d *listener) serve(ln net.Listener, c net.Conn, ns *natsserver.Server) {
	in, err := ns.InProcessConn()
	if err != nil {
		_ = c.Close()
		d.log.Warn("embedded NATS Streaming: connection failed", "error", err)
		return
	}
	p := newPublisher(d, c, in)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ln != ln {
		_, _ = c.Close(), in.Close()
		return
	}
	if len(d.publishers) >= d.most {
		d.makeRoom(true)
	}
	d.publishers[p] = struct{}{}
	d.busy.Go(func() {
		p.run()
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.publishers, p)
	})
}

// makeRoom cuts off the publisher that was heard longest ago, one without a client id
// before all others, and reports whether there was one; mu is held. With known unset, no publisher
// with a client id is cut off. It is forgotten at once, and its goroutines end soon.
func (d *listener) makeRoom(known bool) bool {
	var silent *publisher
	for p := range d.publishers {
		if silent == nil || p.isExpendable(silent) {
			silent = p
		}
	}
	if silent == nil || !known && silent.known.Load() {
		return false
	}
	delete(d.publishers, silent)
	_ = silent.conn.Close()
	return true
}

// refused logs that a publisher was refused something: the first time, and then how
// often in each minute.
func (d *listener) refused(p *publisher, what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unlogged++
	if time.Since(d.logged) < tellEvery {
		return
	}
	d.log.Warn("publisher refused", "remote", p.conn.RemoteAddr().String(), "reason", what, "times", d.unlogged)
	d.logged, d.unlogged = time.Now(), 0
}
