// Package app builds the parts of the worker and runs them. It waits for the signal to
// stop, and shuts everything down in an order that loses nothing.
//
//	start:  listener, store, embedded NATS Streaming, worker, intake
//	drain:  not ready -> intake stops -> worker starts no new calls
//	        -> running calls finish, or drain_timeout aborts them
//	        -> last acks -> embedded NATS Streaming -> listener -> store
//
// When the store has failed, it ends at once and with an error: the next start recovers.
//
// It has no logic of its own beyond that order.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"queue-worker/pkg/config"
	"queue-worker/pkg/descriptor"
	"queue-worker/pkg/finished"
	"queue-worker/pkg/gateway"
	"queue-worker/pkg/intake"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/jobs"
	"queue-worker/pkg/pause"
	"queue-worker/pkg/store"
	"queue-worker/pkg/trace"
	"queue-worker/pkg/worker"
)

// ErrAborted is returned by Run when calls had to be aborted. Their invocations
// are unharmed and will be called again.
var ErrAborted = errors.New("calls were aborted")

// Options are what a worker runs with.
type Options struct {
	Config  *config.Config
	Version string
	Logger  *slog.Logger
	// Started is called once everything runs and NATS Streaming is connected, with the address of the
	// HTTP listener. May be nil.
	Started func(listener net.Addr)
	// Example is a function that can be made to fail, for the first page of the console; ""
	// for none.
	Example string
}

// App is a worker with all its parts.
type App struct {
	Options
	log      *slog.Logger
	started  time.Time
	registry *prometheus.Registry
	names    invocation.Names
	state    state

	undo []undo // last in, first out

	listener  net.Listener
	store     store.Store
	server    embeddedServer // nil without one
	lanes     *worker.Lanes
	worker    *worker.Worker
	retention *worker.Retention
	metrics   *worker.Metrics
	functions *gateway.Functions
	intake    *intake.Intake
	jobs      *jobs.Jobs
	watch     *finished.Watch
	pauses    *pause.Keeper
	tracer    *trace.Tracer // nil without traces

	descriptors *descriptor.Monitor

	checkURL  worker.URLChecker
	submitted *intake.Metrics
}

// undo is a step of the teardown.
type undo struct {
	name string
	do   func() error
}

// Run runs a worker until drain ends, then lets the calls in flight end. It
// aborts them when drain_timeout has passed or abort ends, and returns
// ErrAborted then. It ends at once with store.ErrFailed when the store has failed. Any other error is
// one of starting or of stopping.
func Run(drain, abort context.Context, o Options) (err error) {
	a := &App{
		Options: o, log: o.Logger, started: time.Now(), registry: prometheus.NewRegistry(),
		names: invocation.Names{DefaultNamespace: o.Config.DefaultNamespace}, watch: finished.New(),
		descriptors: descriptor.NewMonitor(o.Logger),
	}
	defer func() { err = errors.Join(err, a.teardown()) }()
	limitHeap(false)
	a.announce()
	if err := a.build(drain); err != nil {
		return err
	}
	return a.run(drain, abort)
}

// announce says what this process is, and what an operator should know of its settings.
func (a *App) announce() {
	c := a.Config
	about := []any{
		"version", a.Version, "queues", c.Channels, "gateway", c.GatewayURL.String(),
		"data_dir", orNone(c.DataDir), "max_inflight", c.MaxInflight, "max_retry_attempts", c.MaxRetryAttempts,
		"initial_retry_wait", c.InitialRetryWait, "max_retry_wait", c.MaxRetryWait, "retry_http_codes", c.RetryCodes,
	}
	if c.IsShared() {
		about = append(about, "store_url", orNone(c.StoreURL), "store_url_file", orNone(c.StoreURLFile))
	}
	if limit := limitMemory(); limit > 0 {
		about = append(about, "memory_limit_bytes", limit)
	}
	a.log.Info("starting queue-worker", about...)
	for _, name := range c.Channels {
		if r, limit := c.Retries(name), c.QueueLimits[name]; len(r.Own) > 0 || limit > 0 {
			a.log.Info("queue with own settings", "queue", name, "limit", limit, "max_retry_attempts", r.MaxRetryAttempts,
				"initial_retry_wait", r.InitialRetryWait, "max_retry_wait", r.MaxRetryWait, "retry_http_codes", r.RetryCodes, "backoff", r.Backoff)
		}
	}
	for _, w := range c.Warnings() {
		a.log.Warn(w)
	}
	if names := c.Ignored(); len(names) > 0 {
		a.log.Info("settings ignored, see docs/settings.md", "names", names)
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// build makes the parts, from the bottom up.
func (a *App) build(ctx context.Context) error {
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(a.Version))
	for _, step := range []func(context.Context) error{
		a.listen, a.openStore, a.openServer, a.makeTracer, a.makeWorker, a.makePauses, a.makeIntake, a.makeJobs, a.serve,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) onTeardown(name string, do func() error) {
	a.undo = append(a.undo, undo{name, do})
}

// teardown undoes what build did, last in, first out.
func (a *App) teardown() error {
	var errs []error
	for i := len(a.undo) - 1; i >= 0; i-- {
		if err := a.undo[i].do(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", a.undo[i].name, err))
		}
	}
	return errors.Join(errs...)
}

// run works until drain ends, and drains then.
func (a *App) run(drain, abort context.Context) error {
	calls, abortCalls := context.WithCancel(context.WithoutCancel(abort))
	defer abortCalls()
	taking, stopTaking := context.WithCancel(drain)
	defer stopTaking()

	finished := make(chan struct{})
	go func() { defer close(finished); a.worker.Run(calls) }()
	taken := make(chan error, 1)
	go func() { taken <- a.intake.Run(taking) }()
	var helpers sync.WaitGroup
	helpers.Go(func() { a.retention.Run(taking) })
	helpers.Go(func() { a.jobs.Run(taking) })
	helpers.Go(func() { a.pauses.Run(taking) })
	helpers.Go(debug.FreeOSMemory) // of what only the start needed
	helpers.Go(func() { a.greet(taking) })

	select {
	case <-drain.Done():
	case <-a.store.Failure():
		stopTaking()
		abortCalls()
		return a.failed(finished)
	}
	begun := time.Now()
	a.state.drain()
	a.log.Info("draining", "in_flight", a.inFlight(), "drain_timeout", a.Config.DrainTimeout)
	stopTaking()
	a.watch.Close() // waiting requests get the current state, and ask another worker
	err := a.await(abort, finished, taken, abortCalls)
	helpers.Wait()
	a.flush(abort, begun)
	err = errors.Join(err, a.store.Failed())
	a.log.Info("drained", "took", time.Since(begun).Round(time.Millisecond), "clean", err == nil)
	return err
}

// greet calls Started, unless ctx ends before that.
func (a *App) greet(ctx context.Context) {
	if a.Started == nil {
		return
	}
	select {
	case <-a.intake.FirstConnected():
		a.Started(a.listener.Addr())
	case <-ctx.Done():
	}
}

// await lets the intake and the worker end, and aborts the calls when they
// take too long.
func (a *App) await(abort context.Context, finished <-chan struct{}, taken <-chan error, abortCalls func()) error {
	limit, cancel := context.WithTimeout(abort, a.Config.DrainTimeout)
	defer cancel()
	a.worker.Drain()
	select {
	case <-finished:
		return <-taken
	case <-limit.Done():
	case <-a.store.Failure():
	}
	n := a.inFlight()
	if n > 0 {
		a.log.Warn("aborting calls, they will be repeated", "in_flight", n)
	}
	abortCalls()
	<-finished
	if n == 0 { // the last call has just finished
		return <-taken
	}
	return errors.Join(<-taken, fmt.Errorf("%w: %d", ErrAborted, n))
}

// failedWait is how long calls may take to be aborted when the store has failed.
const failedWait = 5 * time.Second

// failed ends the process after the store has failed, and does not drain: no outcome can be stored.
// The next start recovers what was confirmed, and repeats the calls.
func (a *App) failed(finished <-chan struct{}) error {
	a.state.drain()
	a.log.Error("store failed, exiting", "in_flight", a.inFlight())
	a.watch.Close()
	limit := time.NewTimer(failedWait)
	defer limit.Stop()
	select {
	case <-finished:
	case <-limit.C:
	}
	return a.store.Failed()
}

func (a *App) inFlight() int {
	n := 0
	for _, c := range a.lanes.InFlight() {
		n += c
	}
	return n
}
