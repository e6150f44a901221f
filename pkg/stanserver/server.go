// Package stanserver is embedded NATS Streaming: the server in the process, so that a
// gateway publishes directly to the worker and no other server is needed.
//
//	gateway --TCP--> listener: checks --+
//	                                    +--> nats-server <--> nats-streaming-server --> files
//	intake --------in the process-------+
//
// The listener is part of this package. Its clients are publishers: they can do what the
// publisher's library does, and no more; rights.go has the list. Pause closes the
// listener while the store has no room. The server and the connection of the intake stay.
//
// With a folder, a publish is confirmed only after fsync. The folder is bounded:
// NATS Streaming cannot delete consumed messages, it keeps the latest Retention bytes of
// each channel and removes older ones, accepted or not. So the messages that the worker
// has not accepted yet are counted, and publishers get an error before there are too many.
//
// There is no TLS. The package does not read or write messages; pkg/intake does.
package stanserver

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	streaming "github.com/nats-io/nats-streaming-server/server"
	"github.com/nats-io/nats-streaming-server/util"

	"queue-worker/pkg/datadir"
	"queue-worker/pkg/descriptor"
)

// Limits of embedded NATS Streaming.
const (
	// Retention is what each channel keeps on disk, in bytes.
	Retention = 256 << 20
	// memoryRetention is what each channel keeps in memory. It is smaller because
	// it is held at all times: there is nothing else that takes consumed messages away.
	memoryRetention = 64 << 20
	// slice is the size of one file of a channel, in bytes: the grain of Retention.
	slice = 16 << 20
	// DefaultMaxPayload is the largest message, in bytes: a body of 8 MiB in base64,
	// with its headers, fits.
	DefaultMaxPayload = 16 << 20
	maxMaxPayload     = 64 << 20
	// DefaultMaxPublishers is how many connections the listener keeps. Each replica of
	// the gateway has one.
	DefaultMaxPublishers = 256
	// pendingPayloads is how many of the largest messages may be on their way to
	// the worker before the server takes it for too slow and cuts it. Publishers get
	// no messages; what may wait for them is maxOutbox.
	pendingPayloads = 8
)

// A client that died is noticed after heartbeatFails+1 heartbeats, and what it
// had unacked goes to the other workers.
const (
	heartbeatInterval = 2 * time.Second
	heartbeatTimeout  = 2 * time.Second
	heartbeatFails    = 3
)

// startTimeout bounds the start of the nats-server, which opens nothing.
const startTimeout = 10 * time.Second

// lockName is the file in the folder that a running server holds locked.
const lockName = "door.lock"

// Options configure embedded NATS Streaming.
type Options struct {
	// Listen is host:port for publishers; port 0 takes a free one.
	Listen string
	// Cluster is the NATS Streaming cluster id that clients name.
	Cluster string
	// Queues are the channels that publishers may publish to.
	Queues []string
	// Group is the queue group of the worker that reads them.
	Group string
	// WorkerPrefix begins the client ids of workers, which no publisher may use.
	// Empty: there are none.
	WorkerPrefix string
	// Credentials are a token, or user:password, that publishers have to name. Empty:
	// they need none. Their rights are the same with and without.
	Credentials string
	// Dir is the folder of the message files. Empty: everything is in memory, no
	// file is written, and the end of the process takes what was not consumed.
	Dir string
	// Logger gets the servers' own lines: debug for noise, warn and error for
	// warnings. Nil discards them.
	Logger *slog.Logger
	// MaxPayload is the largest message in bytes; 0 is DefaultMaxPayload.
	MaxPayload int
	// MaxPublishers is how many connections the listener keeps; 0 is DefaultMaxPublishers.
	MaxPublishers int
	// Descriptors logs when no file descriptor is free for a connection; nil for none.
	Descriptors *descriptor.Monitor

	retention int64 // tests make it small; 0 is Retention or memoryRetention
}

// Server is a running embedded NATS Streaming.
type Server struct {
	listener *listener
	nats     *natsserver.Server
	stan     *streaming.StanServer
	lock     io.Closer // nil in memory

	closing sync.Once
}

// Start starts the server. It returns when clients can connect. The error says in
// one line what is in the way: a taken port, a folder in use, a damaged file.
//
// A file whose last record was torn by a crash is repaired by cutting that record
// off, with a warning: it had not been confirmed to its publisher. A disk that
// fails later, in the middle of a write, makes the library panic and ends the
// process; whatever was confirmed is in the files then.
func Start(o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxPayload == 0 {
		o.MaxPayload = DefaultMaxPayload
	}
	if o.MaxPublishers == 0 {
		o.MaxPublishers = DefaultMaxPublishers
	}
	if o.retention == 0 {
		o.retention = memoryRetention
		if o.Dir != "" {
			o.retention = Retention
		}
	}
	if o.MaxPayload < 0 || o.MaxPayload > maxMaxPayload {
		return nil, fmt.Errorf("start embedded NATS Streaming: max_payload of %d bytes is not from 1 to %d", o.MaxPayload, maxMaxPayload)
	}
	s := &Server{}
	if err := s.start(o); err != nil {
		s.Close()
		return nil, fmt.Errorf("start embedded NATS Streaming: %w", err)
	}
	return s, nil
}

func (s *Server) start(o Options) (err error) {
	// The port comes first: it is what most often goes wrong, and it opens no file.
	if s.listener, err = listen(o); err != nil {
		return err
	}
	if o.Dir != "" {
		if err := datadir.CheckFolder(o.Dir); err != nil {
			return fmt.Errorf("%w: put the file itself in its place; only data_dir itself may be a link", err)
		}
		if s.lock, err = lockDir(o.Dir); err != nil {
			return err
		}
	}
	if s.nats, err = startNATS(o); err != nil {
		return err
	}
	if s.stan, err = startStreaming(o, s.nats); err != nil {
		return err
	}
	if err := s.beginBacklog(o); err != nil {
		return err
	}
	s.listener.open(s.nats)
	return nil
}

// URL is where clients on this machine connect, nats://host:port with the real port.
func (s *Server) URL() string { return s.listener.url() }

// Addr returns host:port of the listener. It stays the same over a pause.
func (s *Server) Addr() string { return s.listener.address }

// InProcessConn makes a connection that does not pass the listener, so Pause does
// not cut it. It is what nats.InProcessServer wants.
func (s *Server) InProcessConn() (net.Conn, error) { return s.nats.InProcessConn() }

// Pause closes the listener and its connections: from now on no client can
// publish, and no message is confirmed that was not accepted. Messages,
// subscriptions and connections made by InProcessConn stay. Idempotent.
func (s *Server) Pause() { s.listener.shut() }

// Resume opens the listener again, on the same port. An error means that it is
// still closed: another process took the port; call it again later. Idempotent.
func (s *Server) Resume() error { return s.listener.reopen(s.nats) }

// beginBacklog notes what the channels hold.
func (s *Server) beginBacklog(o Options) error {
	b := s.listener.backlog
	for _, queue := range o.Queues {
		c, err := stateOf(s.stan, queue)
		if err != nil {
			return err
		}
		b.begin(queue, initial{c.LastSeq, unreadBy(o.Group, c), int64(c.Bytes)}) // #nosec G115 -- at most what a channel keeps
	}
	b.isRead = func(queue string) bool {
		c, err := stateOf(s.stan, queue)
		return err == nil && unreadBy(o.Group, c) == 0
	}
	return nil
}

// Reserve has to precede the publishing of a message by InProcessConn. An error means that
// there is no room for it: it must not be published.
func (s *Server) Reserve(queue string, size int) error {
	return s.listener.backlog.reserve(queue, size)
}

// Accepted says that the worker has accepted a message of size bytes, so that the server
// may remove it. first: it was not delivered before.
func (s *Server) Accepted(queue string, sequence uint64, size int, first bool) {
	s.listener.backlog.accepted(queue, sequence, size, first)
}

// Close stops the server and waits until files are closed and goroutines have ended.
// What was confirmed and not consumed is there at the next Start, with a folder.
// Idempotent.
func (s *Server) Close() {
	s.closing.Do(func() {
		if s.listener != nil {
			s.listener.shut()
		}
		if s.stan != nil {
			s.stan.Shutdown()
		}
		if s.nats != nil {
			s.nats.Shutdown()
			s.nats.WaitForShutdown()
		}
		if s.lock != nil {
			_ = s.lock.Close() // it was never written to
		}
	})
}

// lockDir makes the folder and takes it for this process.
func lockDir(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the folder: %w; give the worker a folder that it may write", err)
	}
	lock, err := util.CreateLockFile(filepath.Join(dir, lockName))
	if errors.Is(err, util.ErrUnableToLockNow) {
		return nil, fmt.Errorf("folder %s is in use by another process; stop that one, or give this one a folder of its own", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("lock the folder: %w; give the worker a folder that it may write", err)
	}
	return lock, nil
}

func startNATS(o Options) (*natsserver.Server, error) {
	s, err := natsserver.NewServer(&natsserver.Options{
		DontListen:      true,
		NoSigs:          true,
		NoSystemAccount: true,
		MaxPayload:      int32(o.MaxPayload), // #nosec G115 -- at most maxMaxPayload, see Start
		MaxPending:      int64(o.MaxPayload) * pendingPayloads,
	})
	if err != nil {
		return nil, fmt.Errorf("nats-server: %w", err)
	}
	s.SetLogger(&serverLog{o.Logger}, false, false)
	s.Start()
	if !s.ReadyForConnections(startTimeout) {
		s.Shutdown()
		return nil, fmt.Errorf("nats-server: not ready within %s", startTimeout)
	}
	return s, nil
}

// startStreaming starts NATS Streaming, a second time with repair when a crash
// has torn a record. It never asks for repair at once, because that also cuts
// where a repair is not understood.
func startStreaming(o Options, ns *natsserver.Server) (*streaming.StanServer, error) {
	s, err := runStreaming(o, ns, false)
	if err != nil && o.Dir != "" && strings.Contains(err.Error(), io.ErrUnexpectedEOF.Error()) {
		o.Logger.Warn("embedded NATS Streaming: incomplete last record truncated, it was never confirmed", "dir", o.Dir)
		s, err = runStreaming(o, ns, true)
	}
	if err != nil && o.Dir != "" {
		return nil, fmt.Errorf("nats-streaming-server in %s: %w; %s", o.Dir, err, hintOf(err))
	}
	return s, err
}

// hintOf is what to do about an error of the files. The library has errors of the system as text.
// Without a known one the files themselves are at fault.
func hintOf(err error) string {
	for _, h := range []struct {
		cause error
		hint  string
	}{
		{syscall.EACCES, "the user that runs this program must own the folder"},
		{syscall.EPERM, "the user that runs this program must own the folder"},
		{syscall.ENOSPC, "free space on its volume"},
		{syscall.EDQUOT, "raise the quota of its user, or free space"},
		{syscall.EROFS, "mount its volume for writing"},
		{syscall.ENFILE, "the machine has no free file descriptor: raise fs.file-max"},
		{syscall.EMFILE, "raise the limit of open files (ulimit -n)"}, // its text begins that of ENFILE
		{syscall.EIO, "its volume fails: look at the disk and the kernel's log"},
	} {
		if strings.Contains(err.Error(), h.cause.Error()) {
			return h.hint
		}
	}
	return "its files are damaged: copy the folder, then move it away and start again; what the worker has accepted is in its store, other messages in the folder are lost"
}
