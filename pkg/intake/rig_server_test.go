// File rig_server_test.go runs NATS Streaming as a server of its own does it: every client that
// connects may do everything. Embedded NATS Streaming lets no client subscribe over TCP.

package intake

import (
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	streaming "github.com/nats-io/nats-streaming-server/server"
	"github.com/nats-io/nats-streaming-server/stores"
	"github.com/nats-io/nats.go"
)

// stanServer is a running NATS Streaming.
type stanServer struct {
	nats *natsserver.Server
	stan *streaming.StanServer

	closing sync.Once
}

// startServer opens a server. With listen "" it takes a free port, with dir "" it
// keeps its messages in memory.
func startServer(t testing.TB, listen, dir string, log *slog.Logger) *stanServer {
	t.Helper()
	host, port := "127.0.0.1", natsserver.RANDOM_PORT
	if listen != "" {
		h, p, err := net.SplitHostPort(listen)
		if err != nil {
			t.Fatal(err)
		}
		if port, err = strconv.Atoi(p); err != nil {
			t.Fatal(err)
		}
		host = h
	}
	const largest = 16 << 20
	return startWith(t, &natsserver.Options{Host: host, Port: port, MaxPayload: largest, MaxPending: 8 * largest}, dir, log)
}

// startWith opens a server with options of its own. login is what its own connection presents.
func startWith(t testing.TB, o *natsserver.Options, dir string, log *slog.Logger, login ...nats.Option) *stanServer {
	t.Helper()
	o.NoSigs, o.NoLog = true, true
	ns, err := natsserver.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &stanServer{nats: ns}
	t.Cleanup(s.Close)
	ns.Start()
	if !ns.ReadyForConnections(patience) {
		t.Fatal("the server does not listen: ready = false, want true")
	}
	if s.stan, err = streaming.RunServerWithOpts(streamingOptions(ns, dir, log, login...), o); err != nil {
		t.Fatal(err)
	}
	return s
}

func streamingOptions(ns *natsserver.Server, dir string, log *slog.Logger, login ...nats.Option) *streaming.Options {
	o := streaming.GetDefaultOptions()
	o.ID = cluster
	// A client that died is noticed within a test.
	o.ClientHBInterval, o.ClientHBTimeout, o.ClientHBFailCount = 2*time.Second, 2*time.Second, 3
	o.NATSServerURL, o.NATSClientOpts = ns.ClientURL(), []nats.Option{nats.InProcessServer(ns)}
	if len(login) > 0 { // connections in the process know no TLS
		o.NATSClientOpts = login
	}
	o.MaxMsgs, o.MaxBytes = 0, 0
	o.CustomLogger = serverLog{log}
	if dir != "" {
		o.StoreType, o.FilestoreDir = stores.TypeFile, dir
		o.FileStoreOpts.DoSync = true
	}
	return o
}

// URL is where clients connect.
func (s *stanServer) URL() string { return s.nats.ClientURL() }

// Close ends the server. Idempotent.
func (s *stanServer) Close() {
	s.closing.Do(func() {
		if s.stan != nil {
			s.stan.Shutdown()
		}
		s.nats.Shutdown()
		s.nats.WaitForShutdown()
	})
}

// serverLog passes on what the server logs above its chatter; without a logger, nothing.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Warnf(format string, v ...any) {
	if l.log != nil {
		l.log.Warn(fmt.Sprintf(format, v...))
	}
}

func (l serverLog) Errorf(format string, v ...any) { l.Warnf(format, v...) }
func (l serverLog) Fatalf(format string, v ...any) { l.Warnf(format, v...) }
func (serverLog) Noticef(string, ...any)           {}
func (serverLog) Debugf(string, ...any)            {}
func (serverLog) Tracef(string, ...any)            {}
