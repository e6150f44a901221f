// Package dev is the test bench of `queue-worker dev`: the parts of OpenFaaS around a
// queue-worker, small enough for one process on one machine.
//
// It has two servers on loopback. The gateway calls functions
// (/function/<fn>), takes asynchronous invocations (/async-function/<fn>) and
// publishes them to NATS Streaming with the same library as the real gateway,
// answers about functions (/system/function/<fn>), and takes every other callback
// (/function/callback-service). The chaos function answers as it was last configured,
// after the configured delay.
//
// The package does not run the queue-worker or NATS Streaming. It has no
// authentication, so it listens only on loopback, and pages of other sites may not
// post to it.
package dev

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"queue-worker/pkg/invocation"
)

// ChaosFunction is the name under which the gateway finds the chaos function.
const ChaosFunction = "chaos-fn"

// The command line flags that choose where the servers listen. Errors about a
// port name them.
const (
	FlagGatewayListen = "--gateway-listen"
	FlagChaosListen   = "--chaos-listen"
)

// Limits of both servers. There is none on how long a call takes: functions may
// run for hours, and how long is what the worker is there to decide.
const (
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 2 * time.Minute // longer than any client here keeps a connection
	maxHeaderBytes    = 64 << 10
	closeTimeout      = 2 * time.Second // for calls that are running when the servers close
)

// Options say where the servers listen and which functions they call.
type Options struct {
	// Gateway is the address of the gateway, a loopback host:port. Port 0 takes
	// a free one.
	Gateway string
	// Chaos is the address of the chaos function, a loopback host:port. Port 0
	// takes a free one: callers come through the gateway and need not know it.
	Chaos string
	// Functions are the functions beside the chaos function. One named chaos-fn
	// takes its place.
	Functions Functions
	// Namespace is where a function without a namespace lives.
	Namespace string
	// Queue is where asynchronous invocations are published.
	Queue Queue
	// Logger gets the log, at debug level for single calls.
	Logger *slog.Logger
}

// Stand is the running gateway and chaos function.
type Stand struct {
	gateway, chaos *url.URL
	servers        []*http.Server
	serving        sync.WaitGroup // one goroutine per server, ended by Close
}

// Start listens and serves until Close. NATS Streaming need not be there yet:
// the first asynchronous call connects. Cancelling ctx only ends the listening
// for a free port, so that a worker that drains still reaches its functions.
//
// The standard library's global logger is pointed at Options.Logger for the
// rest of the process; see quiet.
func Start(ctx context.Context, o Options) (*Stand, error) {
	chaosAt, err := listen(ctx, "chaos function", o.Chaos, FlagChaosListen)
	if err != nil {
		return nil, err
	}
	gatewayAt, err := listen(ctx, "gateway", o.Gateway, FlagGatewayListen)
	if err != nil {
		return nil, errors.Join(err, chaosAt.Close())
	}
	s := &Stand{gateway: address(gatewayAt), chaos: address(chaosAt)}
	functions, err := o.Functions.withChaos(s.chaos, invocation.Names{DefaultNamespace: o.Namespace})
	if err != nil {
		return nil, errors.Join(err, gatewayAt.Close(), chaosAt.Close())
	}
	quiet(o.Logger)
	g := newGateway(functions, o.Namespace, newPublisher(o.Queue).publish, o.Logger)
	s.serve(chaosAt, NewChaos(o.Logger), o.Logger)
	s.serve(gatewayAt, g, o.Logger)
	return s, nil
}

// GatewayURL is where the gateway listens.
func (s *Stand) GatewayURL() *url.URL { return s.gateway }

// ChaosURL is where the chaos function listens.
func (s *Stand) ChaosURL() *url.URL { return s.chaos }

// Close ends both servers. Calls that are running get two seconds, then their
// connections are cut. It may be called more than once.
func (s *Stand) Close() error {
	var errs []error
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	for i := len(s.servers) - 1; i >= 0; i-- { // the gateway first: it calls the chaos function
		err := s.servers[i].Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = s.servers[i].Close()
		}
		errs = append(errs, err)
	}
	s.serving.Wait()
	return errors.Join(errs...)
}

func (s *Stand) serve(l net.Listener, h http.Handler, logger *slog.Logger) {
	server := &http.Server{
		Handler:           withoutPages(h),
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	s.servers = append(s.servers, server)
	s.serving.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("HTTP listener failed", "address", l.Addr().String(), "error", err)
		}
	})
}

// quiet points the global logger of package log, which nats-queue-worker's
// handler writes a line per request to and which cannot be given another one,
// at ours at debug level. Nothing else in this program uses package log, so
// nothing is lost, while io.Discard would also swallow the lines of a library
// that is in trouble. It stays so after Close: the handler's connection outlives
// the stand.
func quiet(logger *slog.Logger) {
	log.SetFlags(0)
	log.SetOutput(slog.NewLogLogger(logger.Handler(), slog.LevelDebug).Writer())
}

func address(l net.Listener) *url.URL {
	return &url.URL{Scheme: "http", Host: l.Addr().String()}
}

// listen opens a loopback address. The error is one line that names the address
// and the flag that changes it.
func listen(ctx context.Context, what, addr, flag string) (net.Listener, error) {
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("the %s cannot listen on %q: give a loopback address with %s, such as 127.0.0.1:8080: %w", what, addr, flag, err)
	}
	if !a.IP.IsLoopback() {
		return nil, fmt.Errorf("the %s does not listen on %q: it has no authentication, so give a loopback address with %s, such as 127.0.0.1:8080", what, addr, flag)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", a.String())
	if err != nil {
		return nil, fmt.Errorf("the %s cannot listen on %s: end what holds port %d or choose another with %s: %w", what, a, a.Port, flag, errors.Unwrap(err))
	}
	return l, nil
}
